"""The commands that look and act, on a real cluster that holds real jobs and dead letters."""

import random
from pathlib import Path
from typing import Any

import pytest

from ganger.cluster import Cluster
from ganger.keys import Control, partitions
from ganger.operations import claim, control, failing
from ganger.retry import Failure, Policy
from support.command import document, ganger
from support.servers import ClusterServers

QUEUE_FIELDS = {"ready", "later", "dead", "in_flight", "oldest_age_ms", "paused"}
TOTALS = {"enqueued", "succeeded", "failed", "retried", "dead", "exhausted", "expired", "crashes"}
CRASH: dict[str, Any] = {
    "jid": "0" * 29,
    "type": "shop.send",
    "queue": "mail",
    "attempt": 1,
    "cause": "segfault",
    "signal": 11,
    "exit_code": None,
    "worker": "abc",
    "pid": 42,
    "host": "h1",
    "generation": 1,
    "at_ms": 1_700_000_000_000,
    "ran_ms": 12,
    "peak_rss_bytes": 1 << 20,
    "stack": "File shop.py line 3",
    "evidence": ["ended by signal 11"],
}


class Shop:
    """A working directory whose settings name the cluster."""

    def __init__(self, cwd: Path, url: str, cluster: Cluster) -> None:
        self.cwd = cwd
        self.env = {"GANGER_REDIS": url}
        self.cluster = cluster

    def text(self, *words: str) -> str:
        done = ganger(*words, cwd=self.cwd, env=self.env)
        assert done.returncode == 0, done.stderr
        assert "\x1b" not in done.stdout, "colours belong on a terminal"
        return done.stdout

    def json(self, *words: str) -> Any:
        return document(*words, cwd=self.cwd, env=self.env)

    def bury_all(self, queue: str = "mail") -> None:
        """Take every ready job, one a claim since its type is unknown, and let it fail for the last time."""
        places = [place for place in partitions("ganger", queue, 12) for _ in range(9)]
        for op, part in enumerate(places, 1):
            taken = claim.claim(self.cluster, part, "c" * 16, "d" * 16, op, budget_us=10**9)
            for entry in taken.entries:
                failure = Failure(cause="exception", error="ValueError", message="no such address")
                policy = Policy(retry=0, dead=True)
                failing.fail(self.cluster, entry, "c" * 16, policy, failure, random.Random(1))


@pytest.fixture
def shop(tmp_path: Path, emptied: ClusterServers, engine: Cluster) -> Shop:
    return Shop(tmp_path, emptied.url, engine)


def test_an_empty_cluster_says_so(shop: Shop) -> None:
    assert "no queue yet" in shop.text("queues")
    assert "No host is alive" in shop.text("workers")
    assert "No job has ever killed" in shop.text("crashes")
    assert "no dead letters" in shop.text("dead", "list")
    found = shop.json("status")
    assert set(found) >= {"queues", "workers", "totals"}
    assert (found["queues"], found["workers"]) == ({}, [])
    assert shop.text("status")


def test_a_pushed_job_is_seen_everywhere(shop: Shop) -> None:
    jid = shop.text("push", "shop.send", '"a@b.c"', "3", "--queue", "mail", "--priority", "9").strip()
    later = shop.json("push", "shop.send", '{"to": "a"}', "--queue", "mail", "--delay", "1h")["jid"]
    queue = shop.json("queues")["mail"]
    assert set(queue) >= QUEUE_FIELDS
    assert (queue["ready"], queue["later"], queue["dead"], queue["in_flight"]) == (1, 1, 0, 0)
    found = shop.json("job", "show", jid)
    assert set(found) >= {"jid", "type", "queue", "state", "attempt", "crashes", "args", "failures"}
    assert (found["jid"], found["type"], found["queue"]) == (jid, "shop.send", "mail")
    assert found["state"] == "ready"
    assert found["args"] == ["a@b.c", 3]
    assert shop.json("job", "show", later)["state"] == "scheduled"
    totals = shop.json("status")["totals"]
    assert set(totals) >= TOTALS
    assert totals["enqueued"] == 2
    assert "mail" in shop.text("queues")
    assert "shop.send" in shop.text("job", "show", jid)
    assert "mail" in shop.text("status")


def test_an_unknown_job_is_one_sentence(shop: Shop) -> None:
    done = ganger("job", "show", "0" * 29, cwd=shop.cwd, env=shop.env)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    done = ganger("job", "show", "nonsense", cwd=shop.cwd, env=shop.env)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)


def test_an_unknown_type_is_refused_unless_forced(shop: Shop) -> None:
    control.announce(shop.cluster, Control("ganger"), {"shop.send": {"queue": "mail", "priority": 5}})
    done = ganger("push", "shop.sned", cwd=shop.cwd, env=shop.env)
    assert (done.returncode, done.stdout) == (1, "")
    assert "shop.sned" in done.stderr
    assert shop.text("push", "shop.sned", "--force", "--queue", "mail")
    jid = shop.text("push", "shop.send", "1").strip()
    assert shop.json("job", "show", jid)["queue"] == "mail"


def test_dead_letters_are_listed_sent_back_and_deleted(shop: Shop) -> None:
    jids = [shop.text("push", "shop.send", str(n), "--queue", "mail").strip() for n in range(3)]
    shop.bury_all()
    found = shop.json("dead", "list", "--queue", "mail")
    assert {letter["jid"] for letter in found} == set(jids)
    assert found[0]["failures"][0]["message"] == "no such address"
    assert found[0]["attempt"] == shop.json("job", "show", jids[0])["attempt"] == 1
    assert "ValueError: no such address" in shop.text("dead", "list")
    assert shop.json("dead", "retry", jids[0]) == {"retried": 1}
    assert shop.json("job", "show", jids[0])["state"] == "ready"
    done = ganger("dead", "retry", jids[0], cwd=shop.cwd, env=shop.env)
    assert (done.returncode, done.stderr) == (1, f"ganger: {jids[0]} is no dead letter: it is ready.\n")
    assert shop.text("dead", "delete", jids[1]) == "1 dead letter deleted.\n"
    assert shop.json("dead", "retry", "--all", "--queue", "mail") == {"retried": 1}
    assert shop.json("dead", "list") == []
    done = ganger("dead", "retry", "--all", "--queue", "mial", cwd=shop.cwd, env=shop.env)
    assert (done.returncode, done.stderr) == (1, "ganger: There is no queue 'mial'; there are: mail.\n")


def test_crashes_newest_first(shop: Shop) -> None:
    for number in range(3):
        record = {**CRASH, "at_ms": CRASH["at_ms"] + number, "attempt": number + 1}
        control.record_crash(shop.cluster, Control("ganger"), f"death-{number}", "segfault", record)
    found = shop.json("crashes", "--limit", "2")
    assert [crash["attempt"] for crash in found] == [3, 2]
    assert set(found[0]) >= set(CRASH)
    text = shop.text("crashes")
    assert "ended by signal 11" in text
    assert text.count("segfault") == 3
    assert shop.json("status")["totals"]["crashes"] == {"segfault": 3}


def test_check_shows_what_is_wrong_with_an_app(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(
        "from ganger import job\n\n@job(queue='mail')\ndef send() -> None: ...\n"
    )
    done = ganger("check", "shop", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "shop: 1 job type in 1 queue.\n"), done.stderr
    (tmp_path / "broken.py").write_text("import sys\n\nsys.exit('no database')\n")
    done = ganger("check", "broken", cwd=tmp_path)
    assert done.returncode == 78
    assert "importing 'broken' failed: SystemExit: no database" in done.stderr
    assert "line 3" in done.stderr
    (tmp_path / "ganger.toml").write_text("workers = 0\n[queues]\nmial = 1\n")
    done = ganger("check", "nowhere", cwd=tmp_path)
    assert done.returncode == 78
    assert "workers must be" in done.stderr
    assert "there is no module 'nowhere' to import" in done.stderr
    (tmp_path / "ganger.toml").write_text("[queues]\nmial = 1\n")
    done = ganger("check", "shop", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (
        78,
        "ganger: no job of shop is in queue mial: is the name right?\n",
    )
