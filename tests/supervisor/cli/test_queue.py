"""`ganger queue` and `ganger type`: pausing, resuming and clearing by command."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ganger import jid as jids
from ganger.cluster import Cluster
from ganger.keys import Control, Partition, partitions
from ganger.operations import claim, control, enqueue
from ganger.operations.enqueue import NewJob
from support.command import document, ganger
from support.servers import ClusterServers

COUNT = 3


class Yard:
    """A working directory whose settings name the cluster, and a queue with two jobs in each partition."""

    def __init__(self, cwd: Path, url: str, cluster: Cluster) -> None:
        self.cwd, self.env, self.cluster = cwd, {"GANGER_REDIS": url}, cluster
        control.register_queue(cluster, Control("ganger"), "mail", COUNT)
        self.places: tuple[Partition, ...] = partitions("ganger", "mail", COUNT)
        self.op = 0
        for place in self.places:
            for type, jid in zip(("shop.send", "shop.bill"), jids.mint("mail", place.index, 2), strict=True):
                enqueue.push(cluster, place, 5, [NewJob(jid, type, b"{}")])

    def text(self, *words: str, code: int = 0) -> str:
        done = ganger(*words, cwd=self.cwd, env=self.env)
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    def json(self, *words: str) -> Any:
        return document(*words, cwd=self.cwd, env=self.env)

    def take(self) -> list[str]:
        """One claim in each partition, of unknown types: a job each."""
        self.op += 1
        return [
            entry.type
            for place in self.places
            for entry in claim.claim(self.cluster, place, "a" * 16, "b" * 16, self.op, budget_us=1).entries
        ]


@pytest.fixture
def yard(tmp_path: Path, emptied: ClusterServers, engine: Cluster) -> Iterator[Yard]:
    yield Yard(tmp_path, emptied.url, engine)


def test_a_queue_is_paused_and_resumed(yard: Yard) -> None:
    said = yard.text("queue", "pause", "mail", "--why", "the shop moves")
    assert said == "mail is paused in 3 of 3 partitions, since now (the shop moves).\n"
    assert yard.take() == []
    row = yard.json("queues")["mail"]
    assert (row["paused"], row["paused_note"], row["paused_partitions"]) == (True, "the shop moves", 3)
    assert re.search(r"paused (now|[\d.]+ m?s ago): the shop moves", yard.text("queues"))
    assert yard.json("status")["queues"]["mail"]["paused"] is True
    again = yard.json("queue", "pause", "mail")
    assert again["changed"] is False and again["since_ms"] == row["paused_since_ms"]
    assert again["reached"] == ["mail/0", "mail/1", "mail/2"] and again["unreachable"] == {}
    assert yard.text("queue", "resume", "mail") == "mail goes on in 3 of 3 partitions.\n"
    assert len(yard.take()) == 3
    assert yard.json("queue", "resume", "mail")["changed"] is False


def test_a_type_is_paused_and_resumed(yard: Yard) -> None:
    assert "is paused in 3 of 3" in yard.text("type", "pause", "shop.send", "--why", "down")
    assert yard.take() == ["shop.bill"] * 3
    assert yard.json("status")["paused_types"]["shop.send"]["note"] == "down"
    assert re.search(r"paused types: shop.send \((now|[\d.]+ m?s ago): down\)", yard.text("queues"))
    done = yard.json("type", "resume", "shop.send")
    assert (done["unparked"], done["paused"]) == (3, False)
    assert yard.take() == ["shop.send"] * 3


def test_a_queue_is_cleared_after_a_count_and_a_yes(yard: Yard) -> None:
    yard.take()
    (jid,) = jids.mint("mail", 0)
    enqueue.schedule(yard.cluster, yard.places[0], 5, [NewJob(jid, "shop.send", b"{}")], delay_ms=60_000)
    said = yard.text("queue", "clear", "mail", code=2)
    assert "mail: 3 jobs waiting; 1 scheduled or waiting for a retry and stay" in said
    assert "this removes 3 jobs: say --yes" in said
    assert "3 jobs removed" in yard.text("queue", "clear", "mail", "--yes")
    assert yard.json("queue", "clear", "mail", "--scheduled", "--yes") == {
        "queue": "mail",
        "removed": 1,
        "unreachable": {},
    }
    row = yard.json("queues")["mail"]
    assert (row["ready"], row["later"], row["in_flight"], row["counters"]["cancelled"]) == (0, 0, 3, 4)


def test_a_wrong_name_is_one_sentence(yard: Yard) -> None:
    assert yard.text("queue", "pause", "mial", code=1).startswith("ganger: There is no queue 'mial'")
    assert "job type 'a b'" in yard.text("type", "pause", "a b", code=1)
    control.announce(yard.cluster, Control("ganger"), {"shop.send": {}})
    assert "no live worker knows the type shop.sned" in yard.text("type", "pause", "shop.sned")
