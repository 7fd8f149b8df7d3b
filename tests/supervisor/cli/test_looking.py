"""The commands that look, on a real cluster that holds real jobs."""

import json
from pathlib import Path
from typing import Any

from ganger.keys import Control
from ganger.operations import control
from support.command import ganger
from support.shop import Shop

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
    (shop.cwd / "ganger.toml").write_text('unknown_types = "warn"\n')
    done = ganger("push", "shop.sned", "--queue", "mail", cwd=shop.cwd, env=shop.env)
    assert (done.returncode, len(done.stdout)) == (0, 30)
    assert done.stderr == "ganger: No live worker serves job type 'shop.sned': did you mean 'shop.send'?\n"
    (unserved,) = shop.json("status")["unserved"]
    assert unserved == {"type": "shop.sned", "queue": "mail", "waiting": 2, "dead": 0, "whole": True}
    assert "Waiting for a worker that knows them" in shop.text("status")
    jid = shop.text("push", "shop.send", "1").strip()
    assert shop.json("job", "show", jid)["queue"] == "mail"


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


def test_check_warns_of_a_cluster_that_stops_as_a_whole(shop: Shop) -> None:
    (shop.cwd / "shop.py").write_text("from ganger import job\n\n@job\ndef send() -> None: ...\n")
    name = "cluster-require-full-coverage"
    nodes = shop.cluster.nodes()
    before = shop.cluster.run_on(nodes[0], ("CONFIG", "GET", name))
    try:
        for value, warns in (("yes", True), ("no", False)):
            for node in nodes:
                shop.cluster.run_on(node, ("CONFIG", "SET", name, value))
            done = ganger("check", "shop", "--redis", cwd=shop.cwd, env=shop.env)
            assert done.returncode == 0, done.stderr
            assert (f"warning: with {name} yes (at {nodes[0]}" in done.stderr) is warns, done.stderr
            told = shop.json("check", "shop", "--redis")
            assert told["ok"] and bool(told["warnings"]) is warns
    finally:
        for node in nodes:
            shop.cluster.run_on(node, ("CONFIG", "SET", name, "yes" if b"yes" in before else "no"))


def test_jobs_are_cancelled_by_name_and_each_is_answered_for(shop: Shop) -> None:
    ready = shop.text("push", "shop.send", "1", "--force").strip()
    later = shop.text("push", "shop.send", "1", "--force", "--delay", "1h").strip()
    done = ganger("job", "cancel", ready, later, ready, "--json", cwd=shop.cwd, env=shop.env)
    assert done.returncode == 1, "one of them was gone by then"
    first, second, third = json.loads(done.stdout)
    assert (first, second["outcome"]) == ({"jid": ready, "outcome": "cancelled"}, "cancelled")
    assert third["outcome"] == "refused" and "no queue" in third["error"]
    assert shop.json("status")["totals"]["cancelled"] == 2
    again = shop.text("push", "shop.send", "1", "--force").strip()
    assert shop.text("job", "cancel", again) == f"{again} is cancelled.\n"


def test_check_misses_the_keys_of_encrypted_types_and_shows_none(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(
        "from ganger import job\n\n@job(encrypt=True)\ndef pay(card: str) -> None: ...\n"
    )
    done = ganger("check", "shop", cwd=tmp_path)
    assert done.returncode == 78
    assert "Arguments are to be encrypted, but there is no key" in done.stderr
    (tmp_path / "shop.py").write_text(
        "from ganger import encrypt_arguments, job\n\n"
        "def keys():\n    raise OSError('vault says s3cret')\n\n"
        "encrypt_arguments(keys=keys)\n\n@job(encrypt=True)\ndef pay(card: str) -> None: ...\n"
    )
    done = ganger("check", "shop", cwd=tmp_path)
    assert done.returncode == 78
    assert "the function given to encrypt_arguments raised OSError" in done.stderr
    assert "s3cret" not in done.stderr + done.stdout
