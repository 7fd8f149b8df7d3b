"""Encrypted arguments: nothing of them in Redis, in errors or in logs; keys that rotate."""

import logging
import sys
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from cryptography.fernet import Fernet

from ganger import Client, actor, encrypt_arguments, inspect, job, sealing
from ganger.client import set_default_client
from ganger.cluster import Cluster
from ganger.config import EngineConfig
from ganger.errors import BadArguments, BadSettings, CantDecrypt, GangerError, JobTooLarge, NotConfigured
from ganger.job import Body
from ganger.keys import Control
from ganger.options import Options
from ganger.sealing import VARIABLE, Keyring, open_body, sealed_body
from ganger.testing import recording
from support.keyspace import snapshot
from support.servers import ClusterServers

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()
SECRET = "4111-1111-1111-1111"


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv(VARIABLE, f"old:{OLD}")
    encrypt_arguments()
    yield
    encrypt_arguments()


@pytest.fixture
def client(cluster: Cluster, cluster_servers: ClusterServers) -> Client:
    return Client(EngineConfig(cluster_servers.settings(), max_job_bytes=4000), cluster=cluster)


@pytest.fixture
def pay(client: Client, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setattr(actor, "_registry", {})
    set_default_client(client)

    @job(name="shop.pay", queue="mail", encrypt=True)
    def pay(card: str, amount: int = 1) -> None: ...

    yield pay
    set_default_client(None)


def show(cluster: Cluster, jid: str) -> dict[str, Any]:
    return inspect.job(cluster, Control("ganger"), jid)


def holds(servers: ClusterServers, text: str) -> bool:
    """Whether a text is anywhere in any key, name or content, of any node."""
    return text.encode() in repr(snapshot(servers)).encode()


def test_nothing_of_the_arguments_is_in_redis_and_the_rest_is_clear(
    cluster: Cluster, cluster_servers: ClusterServers, pay: Any
) -> None:
    jids = [pay.push(SECRET, amount=417_417), pay.options(delay=60).push(SECRET)]
    jids += pay.push_many([(SECRET, 417_417), {"card": SECRET}])
    assert not holds(cluster_servers, SECRET)
    assert not holds(cluster_servers, "417417")
    assert not holds(cluster_servers, "amount"), "nor the names"
    assert holds(cluster_servers, "shop.pay")
    for jid in jids:
        found = show(cluster, jid)
        assert (found["args"], found["kwargs"], found["encrypted"]) == (None, None, "old")
        assert (found["jid"], found["type"], found["queue"]) == (jid, "shop.pay", "mail")


def test_what_is_sealed_opens_to_the_same() -> None:
    body = Body([1, 2**63, "ü"], {"deep": [{"a": None}]}, 5, {"retry": 1}, {"h": "x"})
    sealed = sealed_body("shop.pay", body)
    assert (sealed.args, sealed.kwargs, sealed.headers, sealed.overrides) == (
        [],
        {},
        {"h": "x"},
        {"retry": 1},
    )
    assert open_body("shop.pay", sealed) == body
    assert open_body("shop.pay", body) is body, "one that is not sealed"
    assert sealed_body("shop.pay", body).sealed != sealed.sealed, "the same twice can't be told"


def test_a_new_key_seals_and_the_old_one_still_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    before = sealed_body("shop.pay", Body([SECRET]))
    monkeypatch.setenv(VARIABLE, f"new:{NEW}, old:{OLD}")
    encrypt_arguments()
    after = sealed_body("shop.pay", Body([SECRET]))
    assert (before.sealed[:4], after.sealed[:4]) == ("old:", "new:")
    assert open_body("shop.pay", before).args == open_body("shop.pay", after).args == [SECRET]


def test_an_unknown_key_is_named_by_its_id(monkeypatch: pytest.MonkeyPatch) -> None:
    sealed = sealed_body("shop.pay", Body([SECRET]))
    monkeypatch.setenv(VARIABLE, f"new:{NEW}")
    encrypt_arguments()
    with pytest.raises(CantDecrypt, match=r"encrypted with key 'old', .* keys \(new\)"):
        open_body("shop.pay", sealed)
    assert issubclass(CantDecrypt, BadArguments), "its cause is bad_arguments"


def test_keys_from_a_function_are_asked_for_again_when_one_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    texts = [f"new:{NEW}", f"newer:{Fernet.generate_key().decode()},new:{NEW},old:{OLD}"]
    asked: list[str] = []

    def keys() -> str:
        asked.append(texts[min(len(asked), 1)])
        return asked[-1]

    sealed = sealed_body("shop.pay", Body([SECRET]))
    encrypt_arguments(keys=keys)
    assert sealed_body("shop.pay", Body()).sealed.startswith("new:")
    with pytest.raises(CantDecrypt):
        open_body("shop.pay", sealed)
    assert len(asked) == 1, "not within ten seconds"
    monkeypatch.setattr(sealing, "_asked_at_s", 0.0)
    assert open_body("shop.pay", sealed).args == [SECRET]
    assert len(asked) == 2


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda sealed: sealed[:-8] + "AAAAAAA=", "or were changed"),
        (lambda sealed: "old:" + Fernet(NEW.encode()).encrypt(b"[]").decode(), "or were changed"),
        (lambda sealed: "old:" + Fernet(OLD.encode()).encrypt(b"[]").decode(), "or were changed"),
        (lambda sealed: "old:\ud800", "or were changed"),
        (lambda sealed: sealed.replace("old:", "<b>:"), r"key '\?'"),
    ],
)
def test_what_was_tampered_with_does_not_open(change: Any, text: str) -> None:
    sealed = sealed_body("shop.pay", Body([SECRET]))
    with pytest.raises(CantDecrypt, match=text) as caught:
        open_body("shop.pay", msgspec.structs.replace(sealed, sealed=change(sealed.sealed)))
    assert caught.value.__cause__ is None


def test_one_type_s_arguments_can_t_be_given_to_another() -> None:
    with pytest.raises(CantDecrypt, match=r"for another job type than shop\.refund"):
        open_body("shop.refund", sealed_body("shop.pay", Body([SECRET])))


def test_all_types_may_be_encrypted_also_by_those_who_push_by_name(
    client: Client, cluster_servers: ClusterServers
) -> None:
    encrypt_arguments(all_types=True)
    client.push("shop.anything", [SECRET], {"card": SECRET})
    assert not holds(cluster_servers, SECRET)


def test_a_test_mode_shows_arguments_and_needs_no_key(pay: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE)
    with recording() as jobs:
        pay.push(SECRET)
    assert [each.args for each in jobs.pushed] == [[SECRET]]


def test_who_pushes_by_name_heeds_what_live_workers_announce(
    client: Client, cluster_servers: ClusterServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Client, "_options_of", lambda *_: Options(encrypt=True))
    client.push("shop.pay", [SECRET])
    assert not holds(cluster_servers, SECRET)


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("", NotConfigured, "there is no key"),
        (NEW, BadSettings, "key number 1 has no id"),
        (f"a:{OLD},{NEW}", BadSettings, "key number 2 has no id"),
        (f"a b:{NEW}", BadSettings, "key number 1 has no id"),
        (f"a:{NEW[:-6]}", BadSettings, "of the id a can't be used"),
        (f"a:{OLD},a:{NEW}", BadSettings, "two encryption keys of the id a"),
    ],
    ids=["none", "no id", "second without id", "no word", "cut short", "twice"],
)
def test_bad_keys_are_told_without_showing_them(
    text: str, error: type[GangerError], said: str, client: Client, pay: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, text)
    encrypt_arguments()
    with pytest.raises(error, match=said) as caught:
        pay.push(SECRET)
    for key in (OLD, NEW, NEW[:-6], SECRET):
        assert key not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(BadSettings, match=r"pip install 'ganger\[encryption\]'"):
        sealed_body("shop.pay", Body())


def test_ganger_itself_does_not_import_the_package() -> None:
    import subprocess

    code = "import ganger, sys; print('cryptography' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_no_error_of_a_push_shows_an_argument(
    client: Client, pay: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Not in its text, not behind it (a chained error is in every traceback), not in a log."""
    caplog.set_level(logging.DEBUG)
    secrets = ("card-s3cret", "987654321")
    encrypt_arguments(all_types=True)
    attempts: list[Callable[[], Any]] = [
        lambda: pay.push({"card-s3cret"}),
        lambda: pay.push("card-s3cret", amount="987654321"),
        lambda: pay.push_many([("card-s3cret", "987654321")]),
        lambda: pay.push("card-s3cret", 1, 2, 3),
        lambda: pay.options().reserve({"card-s3cret"}),
        lambda: client.push("shop.other", "card-s3cret"),
        lambda: client.push("shop.other", [{"card-s3cret"}]),
        lambda: client.push("shop.other", [987654321**9]),
        lambda: client.push("shop.other", kwargs={"a": {987654321: 1}}),
        lambda: client.push_many("shop.other", ["card-s3cret"]),
    ]
    for attempt in attempts:
        with pytest.raises(BadArguments, match="they are encrypted") as caught:
            attempt()
        shown = str(caught.value) + str(caught.value.__cause__)
        assert caught.value.__suppress_context__
        assert not any(secret in shown for secret in secrets)
    with pytest.raises(JobTooLarge) as large:
        pay.push("card-s3cret" * 1000)
    assert "card-s3cret" not in str(large.value)
    assert not any(secret in caplog.text for secret in secrets)


def test_a_keyring_shows_no_key() -> None:
    assert OLD not in repr(Keyring(f"old:{OLD}"))
    assert OLD not in str(vars(Keyring(f"old:{OLD}")))
