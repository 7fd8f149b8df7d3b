"""The commands about jobs that wait for their time, and why a job is not running."""

from ganger.retry import Failure
from support.shop import Shop


def test_what_is_scheduled_and_what_is_tried_again(shop: Shop) -> None:
    assert shop.text("scheduled") == "Nothing is scheduled.\n"
    assert shop.text("retries") == "Nothing is to be tried again.\n"
    late, soon = (
        shop.text("push", "shop.send", f'"{delay}"', "--queue", "mail", "--delay", delay).strip()
        for delay in ("2h", "5m")
    )
    shop.push(1, queue="stock", type="shop.count")
    shop.fail_all("stock", Failure(cause="exception", error="ValueError", message="no such address"))
    assert [job["jid"] for job in shop.json("scheduled")] == [soon, late]
    assert [job["args"] for job in shop.json("scheduled", "--within", "1h")] == [["5m"]]
    assert shop.json("scheduled", "--type", "shop.count") == []
    assert "in 1 h" in shop.text("scheduled", "--queue", "mail")
    (again,) = shop.json("retries", "--cause", "exception", "--error", "address")
    assert (again["queue"], again["attempt"], again["state"]) == ("stock", 2, "retrying")
    assert "ValueError: no such address" in shop.text("retries")
    assert shop.json("retries", "--cause", "exit") == []


def test_why_a_job_waits_and_how_it_goes_at_once(shop: Shop) -> None:
    jid = shop.text("push", "shop.send", "--queue", "mail", "--delay", "2h").strip()
    assert shop.text("why", jid) == (
        "It is not due yet: in 119 min.\nNo host is alive: nobody works. `ganger run APP` starts one.\n"
    )
    assert shop.json("job", "retry", jid) == {"jid": jid, "was": "scheduled"}
    found = shop.json("why", jid)
    assert (found["jid"], [reason["code"] for reason in found["reasons"]]) == (jid, ["no_host"])
    said = f"ganger: Job {jid} is ready: it is neither scheduled, retrying nor dead.\n"
    assert shop.refused("job", "retry", jid) == (1, said)
    shop.bury_all()
    assert shop.text("job", "retry", jid) == f"{jid} was dead and is ready.\n"
