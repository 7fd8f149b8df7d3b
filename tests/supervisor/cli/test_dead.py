"""`ganger dead` on a real cluster: what the filters match, and what becomes of it."""

import signal

from ganger.keys import Control
from ganger.operations import control
from ganger.retry import Failure
from support.shop import Shop

SEGFAULT = Failure(cause="segfault", error="SIGSEGV", message="It ended of SIGSEGV.", stack="File shop.py")


def test_dead_letters_are_listed_sent_back_and_deleted(shop: Shop) -> None:
    jids = shop.push(3)
    shop.bury_all()
    found = shop.json("dead", "list", "--queue", "mail")
    assert {letter["jid"] for letter in found} == set(jids)
    assert sorted(letter["args"] for letter in found) == [[0], [1], [2]]
    assert found[0]["failures"][0]["message"] == "no such address"
    assert found[0]["attempt"] == shop.json("job", "show", jids[0])["attempt"] == 1
    assert "ValueError: no such address" in shop.text("dead", "list")
    assert shop.json("dead", "retry", jids[0]) == {"retried": 1, "unreachable": {}}
    assert shop.json("job", "show", jids[0])["state"] == "ready"
    said = f"ganger: {jids[0]} is no dead letter: it is ready.\n"
    assert (
        shop.refused("dead", "retry", jids[1], jids[0]) == shop.refused("dead", "show", jids[0]) == (1, said)
    )
    assert shop.text("dead", "delete", jids[1]) == "1 dead letter deleted.\n"
    assert shop.json("dead", "retry", "--all", "--queue", "mail", "--yes") == {
        "retried": 1,
        "unreachable": {},
    }
    assert shop.json("dead", "list") == []
    said = "ganger: There is no queue 'mial'; there are: mail.\n"
    assert shop.refused("dead", "retry", "--all", "--queue", "mial") == (1, said)


def test_filters_choose_whom_it_is_about(shop: Shop) -> None:
    mails, stocks = shop.push(2), shop.push(1, queue="stock", type="shop.count")
    shop.bury_all("mail", SEGFAULT)
    shop.bury_all("stock")

    def fits(*words: str) -> set[str]:
        return {letter["jid"] for letter in shop.json("dead", "list", *words)}

    assert fits() == {*mails, *stocks}
    assert fits("--cause", "segfault") == fits("--type", "shop.send") == set(mails)
    assert fits("--error", "no SUCH") == fits("--queue", "stock", "--since", "1h") == set(stocks)
    assert fits("--until", "1h") == fits("--cause", "exit") == set()
    assert len(fits("--limit", "2")) == 2
    assert shop.text("dead", "list", "--cause", "exit") == "No dead letter fits.\n"
    assert shop.json("dead", "delete", "--all", "--cause", "segfault", "--yes") == {
        "deleted": 2,
        "unreachable": {},
    }
    assert shop.json("dead", "retry", "--all", "--rate", "50/s", "--yes") == {"retried": 1, "unreachable": {}}


def test_all_of_them_only_after_a_yes(shop: Shop) -> None:
    shop.push(3)
    shop.bury_all()
    code, said = shop.refused("dead", "delete", "--all")
    assert (code, "3 dead letters (3 in mail): say --yes" in said) == (2, True)
    assert shop.refused("dead", "retry", "--cause", "exit")[0] == 2
    code, told = shop.refused("dead", "list", "--cause", "segfualt")
    assert code == 2 and "--cause must be one of" in told and "not 'segfualt'" in told
    assert shop.text("dead", "list", "--cause", "signal_42") == "No dead letter fits.\n"
    assert shop.refused("dead", "retry", "a" * 29, "--rate", "5/s")[0] == 2
    assert len(shop.json("dead", "list")) == 3
    assert shop.at_terminal("dead", "delete", "--all", answer="n\n")[0] == 128 + signal.SIGINT
    code, told = shop.at_terminal("dead", "delete", "--all", answer="\x04")
    assert code == 128 + signal.SIGINT and "[y/N]: " in told and told.endswith("\r\n")
    assert len(shop.json("dead", "list")) == 3
    code, told = shop.at_terminal("dead", "delete", "--all", answer="y\n")
    assert code == 0
    assert "Delete them for ever? [y/N]" in told
    assert "3 dead letters deleted." in told


def test_sending_back_at_a_rate_goes_on_where_it_was_stopped(shop: Shop) -> None:
    shop.push(6)
    shop.bury_all()
    one_went = lambda told: shop.json("queues")["mail"]["ready"] == 1  # noqa: E731
    code, told = shop.at_terminal("dead", "retry", "--all", "--rate", "1/m", "--yes", stop_when=one_went)
    assert code == 128 + signal.SIGINT
    assert "stopped: 1 of 6 sent back; the same again goes on." in told
    assert len(shop.json("dead", "list")) == 5
    assert shop.json("dead", "retry", "--all", "--yes") == {"retried": 5, "unreachable": {}}


def test_one_is_shown_with_its_post_mortems(shop: Shop) -> None:
    (jid,) = shop.push()
    shop.bury_all("mail", SEGFAULT)
    for number, whose in enumerate((jid, "0" * 29)):
        record = {"jid": whose, "cause": "segfault", "attempt": 1, "at_ms": 2_000_000_000_000}
        record |= {"evidence": ["It ended of SIGSEGV."], "stack": "File deep.py"}
        control.record_crash(shop.cluster, Control("ganger"), f"death-{number}", "segfault", record)
    found = shop.json("dead", "show", jid)
    assert [crash["jid"] for crash in found["crash_records"]] == [jid]
    assert found["failures"][0]["stack"] == "File shop.py"
    text = shop.text("dead", "show", jid)
    for part in ("segfault", "File shop.py", "It ended of SIGSEGV."):
        assert part in text
    assert "File deep.py" not in text, "the stack of that attempt has been shown"
