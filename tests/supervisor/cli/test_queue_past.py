"""`ganger queue rewind`, `replay`, `skip`, `runs`, `continue`, `undo`, `retain` on a real cluster."""

import signal
from pathlib import Path
from typing import Any

import pytest

from ganger.cluster import Cluster
from ganger.keys import Control, Partition, partitions
from ganger.operations import claim, control, settle
from gangerd.cli.words import moment
from support.command import document, ganger, running
from support.history import ended
from support.servers import ClusterServers
from support.waiting import until

KEYS = Control("ganger")
HOST = "c" * 16


class Post:
    """A working directory whose settings name the cluster, and queue mail of three partitions."""

    def __init__(self, cwd: Path, url: str, cluster: Cluster) -> None:
        self.cwd = cwd
        self.env = {"GANGER_REDIS": url, "TZ": "Europe/Berlin"}
        self.cluster = cluster
        control.register_queue(cluster, KEYS, "mail", 3)
        self.mail = partitions("ganger", "mail", 3)
        self.json("queue", "retain", "mail", "--age", "3650d")

    def text(self, *words: str, code: int = 0) -> str:
        done = ganger(*words, cwd=self.cwd, env=self.env)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def json(self, *words: str) -> Any:
        return document(*words, cwd=self.cwd, env=self.env)

    def queue(self, name: str = "mail") -> Any:
        return self.json("queues")[name]

    def past(self, per_partition: int) -> list[str]:
        """Jobs that ended in the first seconds of 2020, UTC."""
        start_ms = 1_577_836_800_000
        return [
            ended(self.cluster, start_ms + number * 1000, partition=place)
            for place in self.mail
            for number in range(per_partition)
        ]

    def run_all(self, place: Partition, op: int) -> int:
        """Claim and settle what waits in a partition."""
        got = claim.claim(
            self.cluster, place, HOST, "d" * 16, op, budget_us=10**6, cap=500, costs={"shop.send": 1}
        )
        for entry in got.entries:
            settle.settle(self.cluster, place, "succeeded", {entry.stream: [entry.id]})
        return len(got.entries)


@pytest.fixture
def post(tmp_path: Path, emptied: ClusterServers, engine: Cluster) -> Post:
    return Post(tmp_path, emptied.url, engine)


def test_a_rewind_from_the_plan_to_the_undo(post: Post) -> None:
    jids = post.past(4)
    plan = post.json("queue", "rewind", "mail", "--to", "2020-01-01T00:00:02+00:00", "--dry-run")
    assert (plan["count"], plan["types"]) == (6, {"shop.send": 6})
    assert plan["partitions"]["1"] == {"count": 2, "first_ms": 1577836802000, "last_ms": 1577836803000}
    said = post.text("queue", "rewind", "mail", "--to", "2020-01-01T01:00:02", "--dry-run")
    assert "6 jobs of queue mail that ended from 2020-01-01 01:00:02 +0100" in said
    assert "the last at 2020-01-01 01:00:03 +0100" in said
    refused = post.text("queue", "rewind", "mail", "--to", "1h", code=2)
    assert "say --yes, or --dry-run" in refused
    assert post.queue()["ready"] == 0

    run = post.json("queue", "rewind", "mail", "--to", "1577836802", "--yes")
    assert (run["state"], run["planned"], run["moved"], run["missing"]) == ("finished", 6, 6, [])
    assert post.queue()["ready"] == 6
    shown = post.json("job", "show", jids[3])
    assert (shown["state"], shown["run"]) == ("ready", run["run"])
    assert post.run_all(post.mail[0], 1) == 2
    shown = post.json("job", "show", jids[3])
    assert (shown["state"], shown["how"], shown["run"]) == ("done", "succeeded", run["run"])
    assert shown["ended_at_ms"] > 1577836803000
    undone = post.text("queue", "undo", run["run"])
    assert "4 of 6 jobs back in the log; the rest had begun" in undone
    assert post.queue()["ready"] == 0
    shown = post.json("job", "show", jids[7])
    assert (shown["state"], shown["ended_at_ms"], shown["run"]) == ("done", 1577836803000, None)
    assert [(each["run"], each["state"]) for each in post.json("queue", "runs", "mail")] == [
        (run["run"], "undone")
    ]
    assert run["run"] in post.text("queue", "runs")


def test_a_run_stopped_by_ctrl_c_goes_on(post: Post) -> None:
    post.past(400)
    words = ("queue", "replay", "mail", "--from", "2020-01-01", "--rate", "40/s", "--yes")
    with running(*words, cwd=post.cwd, env=post.env) as process:
        # What a run has moved is written down after it has moved it: wait for both.
        until(lambda: sum(_waiting(post)) > 0, "the first jobs")
        until(lambda: post.json("queue", "runs")[0]["moved"] > 0, "the run tells of them")
        process.send_signal(signal.SIGINT)
        told_, error = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "1,200 jobs of queue mail that ended" in told_ and "takes about 30 s" in told_
    assert "Stopped after" in error and "ganger queue continue" in error
    (run,) = post.json("queue", "runs")
    assert run["state"] == "stopped" and 0 < run["moved"] < 1200
    assert f"ganger queue continue {run['run']}" in error
    taken = sum(post.run_all(place, 1) for place in post.mail)
    assert taken >= run["moved"]
    ended_ = post.json("queue", "continue", run["run"], "--rate", "100000/s")
    assert (ended_["state"], ended_["moved"]) == ("finished", 1200)
    assert post.queue()["ready"] == 1200 - taken
    assert "is finished: there is nothing to go on with" in post.text("queue", "continue", run["run"], code=1)


def _waiting(post: Post) -> list[int]:
    from ganger.operations import look

    return [look.parse_look(post.cluster.run(look.look_command(place)), place).ready for place in post.mail]


def test_copies_for_a_shadow_queue(post: Post) -> None:
    post.past(3)
    words = ("queue", "replay", "mail", "--from", "2020-01-01", "--into", "shadow", "--yes")
    said = post.text(*words)
    assert "9 jobs in queue shadow" in said
    assert (post.queue()["ready"], post.queue("shadow")["ready"]) == (0, 9)
    assert "into is for another queue" in post.text(*words[:-2], "mail", "--yes", code=1)


def test_what_waits_is_skipped_and_waits_again(post: Post) -> None:
    jid = post.text("push", "shop.send", "1", "--queue", "mail").strip()
    assert "0 jobs of queue mail" in post.text("queue", "skip", "mail", "--to", "1h ago", "--yes")
    run = post.json("queue", "skip", "mail", "--to", "now", "--yes")
    assert run["moved"] == 1
    shown = post.json("job", "show", jid)
    assert (shown["state"], shown["how"], shown["run"]) == ("done", "skipped", run["run"])
    assert post.json("status")["totals"]["skipped"] == 1
    assert "1 of 1 job waiting again." in post.text("queue", "undo", run["run"])
    assert post.json("job", "show", jid)["state"] == "ready"


def test_a_queue_is_told_what_to_keep(post: Post) -> None:
    assert post.json("queue", "retain", "mail") == {
        "queue": "mail", "age_ms": 3650 * 86_400_000, "count": 0, "kept": 0, "missing": {},
    }  # fmt: skip
    post.past(2)
    said = post.text("queue", "retain", "mail", "--age", "7d", "--count", "1000")
    assert said == "Queue mail keeps ended jobs: for 7 d and of those the newest 1,000. It has 6 now.\n"
    assert "keeps no ended jobs" in post.text("queue", "retain", "mail", "--off")
    assert "To keep them: ganger queue retain mail" in post.text(
        "queue", "skip", "mail", "--to", "now", "--dry-run"
    )
    assert "There is no queue 'mial'" in post.text("queue", "retain", "mial", "--age", "7d", code=1)
    assert "such as 7d" in post.text("queue", "retain", "mail", "--age", "soon", code=2)
    assert "There is no run 'x'" in post.text("queue", "undo", "x", code=1)


def test_an_instant_is_told_with_its_zone() -> None:
    assert moment(1 << 62) == str(1 << 62)
