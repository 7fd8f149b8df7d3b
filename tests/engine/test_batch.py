"""Batches as an application makes them: members pushed in bulk and one by one, callbacks, children."""

import asyncio
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import pytest

from ganger import Batch, actor, current, inspect, job
from ganger.batch_status import recent
from ganger.client import Client, set_default_client
from ganger.cluster import Cluster
from ganger.command import Command
from ganger.config import EngineConfig
from ganger.current import enter, leave
from ganger.errors import BadName, BadOptions, BatchClosed, BatchNotFound
from ganger.job import BLANK, Entry
from ganger.keys import BatchKeys, Control, partitions
from ganger.label import split
from ganger.operations import outbox
from ganger.parcel import decode
from ganger.testing import inline, recording
from support.servers import ClusterServers

KEYS = Control("ganger")
MAIL = partitions("ganger", "mail", 12)


@pytest.fixture
def client(cluster: Cluster, cluster_servers: ClusterServers) -> Iterator[Client]:
    made = Client(EngineConfig(cluster_servers.settings()), cluster=cluster)
    set_default_client(made)
    yield made
    set_default_client(None)


@pytest.fixture
def send(client: Client, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(actor, "_registry", {})

    @job(name="shop.send", queue="mail")
    def send(to: int, subject: str = "hi") -> None: ...

    return send


@pytest.fixture
def done(send: Any) -> Any:
    @job(name="shop.done", queue="mail", priority=9)
    def done(title: str = "", times: int = 1) -> None: ...

    return done


def keys_of(batch: Batch) -> BatchKeys:
    return BatchKeys("ganger", batch.bid)


def members(cluster: Cluster, jids: list[str]) -> list[str | None]:
    """What the labels of these jobs say."""
    found = []
    for jid in jids:
        place = inspect.locate(cluster, KEYS, jid)
        found.append(split(place.record.body)[0].member)
    return found


def owed(cluster: Cluster, batch: Batch) -> int:
    return outbox.parse_length(cluster.run(outbox.length_command(outbox.box_of(keys_of(batch)))))


def test_members_are_numbered_as_they_come(cluster: Cluster, send: Any) -> None:
    with Batch(description="import 42") as batch:
        first = batch.push(send, 1, subject="hey")
        many = batch.push_many(send.options(delay=60), [(number,) for number in range(40)])
        by_name = batch.client.push("shop.send", [3])
        status = batch.status()
        assert (status.state, status.total, status.pending) == ("open", 42, 42)
        assert status.description == "import 42"
    pushed = [first, *many, by_name]
    assert members(cluster, pushed) == [f"{batch.bid}:{number}" for number in range(42)]
    assert owed(cluster, batch) == 0
    shown = inspect.job(cluster, KEYS, first)
    assert (shown["kwargs"], shown["batch"]) == ({"subject": "hey"}, f"{batch.bid}:0")
    assert inspect.job(cluster, KEYS, many[0])["state"] == "scheduled"
    assert batch.status().state == "running"
    assert [one.bid for one in recent(cluster, KEYS)] == [batch.bid]


def test_whoever_knows_its_id_may_add(cluster: Cluster, send: Any) -> None:
    with Batch() as batch:
        batch.push(send, 1)
    other = Batch.open(batch.bid)
    assert members(cluster, [other.push(send, 2)]) == [f"{batch.bid}:1"]
    assert other.status().total == 2


def test_a_member_adds_to_its_batch(send: Any) -> None:
    with Batch() as batch:
        batch.push(send, 1)
    with pytest.raises(LookupError):
        Batch.current()
    try:
        for body, batch_id in ((b"{}", None), (b"b" + batch.bid.encode() + b":0\n{}", batch.bid)):
            entry = Entry(MAIL[0], 5, b"1-1", "j", "shop.send", BLANK, body)
            enter("j", 1, "shop.send", "mail", {}, entry)
            assert current().batch_id == batch_id
            if batch_id is None:
                with pytest.raises(BadOptions, match="belongs to no batch"):
                    Batch.current()
        Batch.current().push(send, 2)
    finally:
        leave()
    assert batch.status().total == 2


@pytest.mark.parametrize("mode", [inline, recording])
def test_in_a_test_mode_it_counts_nothing_and_ends_at_once(send: Any, done: Any, mode: Any) -> None:
    with mode() as jobs:
        with Batch(complete=done, success=(done, "import"), death=done) as batch:
            batch.push(send, 1)
            with batch.child() as child:
                child.push(send, 2)
        assert [(job.type, job.args) for job in jobs.pushed] == [
            ("shop.send", [1]),
            ("shop.send", [2]),
            ("shop.done", []),
            ("shop.done", ["import"]),
        ]


def test_an_exception_leaves_it_uncommitted(send: Any) -> None:
    with pytest.raises(ZeroDivisionError), Batch() as batch:
        batch.push(send, 1)
        raise ZeroDivisionError
    assert batch.status().state == "open"
    batch.commit()
    assert batch.status().state == "running"


def test_callbacks_are_kept_with_their_options_and_arguments(cluster: Cluster, send: Any, done: Any) -> None:
    with Batch(success=(done.options(priority=3), "import", 2), complete=done):
        pass
    (status,) = recent(cluster, KEYS)
    assert (status.complete, status.success, status.death, status.state) == (
        "fired",
        "waiting",
        "waiting",
        "complete",
    )


def test_mistakes_are_told_where_they_are_made(send: Any, done: Any) -> None:
    with pytest.raises(BadOptions, match="success: a batch takes"):
        Batch(success=print)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="times"), Batch(success=(done, "a", "many")):
        pass
    with pytest.raises(BadName):
        Batch.open("b-nonsense")
    with pytest.raises(BatchNotFound, match="no batch b-0"):
        Batch.open("b-" + "0" * 21).push(send, 1)
    with pytest.raises(TypeError), Batch() as batch:
        batch.push(send, "no number")
    with pytest.raises(BadOptions, match="unique"):
        batch.push(send.options(unique_for=60), 1)
    with pytest.raises(BadOptions, match="pushed once"):
        batch.client.push("shop.send", [1], jid="0" * 29)
    assert batch.status().total == 0


def test_after_its_success_it_is_closed(send: Any) -> None:
    with Batch() as batch:
        pass
    assert batch.status().state == "success"
    with pytest.raises(BatchClosed, match="succeeded already"):
        batch.push(send, 1)
    with pytest.raises(BatchClosed), batch.child():
        pass


def test_a_callback_does_not_expire_while_the_batch_goes_on(cluster: Cluster, send: Any) -> None:
    @job(name="shop.soon", queue="mail", expires_in=60, track=True)
    def soon() -> None: ...

    with Batch(success=soon) as batch:
        pass
    head = cluster.run(Command(keys_of(batch).slot, ("HGET", keys_of(batch).head, "success_job")))
    label = split(decode("ganger", head).jobs[0].body)[0]
    assert (label.expires_at_ms, label.member) == (None, f"{batch.bid}:success")
    assert label.track_ms is not None


def test_a_child_may_be_entered_long_after_it_was_asked_for(send: Any) -> None:
    with Batch() as batch:
        child = batch.child()
        for to in range(70):
            batch.push(send, to)
        with child:
            child.push(send, 1)
        assert batch.status().total == 71


def test_a_child_is_a_member(cluster: Cluster, send: Any) -> None:
    with Batch() as batch:
        batch.push(send, 1)
        with batch.child(description="inner") as child:
            child.push(send, 2)
        status = child.status()
        assert (status.total, status.parent_bid) == (1, batch.bid)
    assert batch.status().total == 2
    assert owed(cluster, batch) == 0
    head = cluster.run(Command(keys_of(child).slot, ("HGET", keys_of(child).head, "parent")))
    assert head.decode() == f"{batch.bid}:1"


def test_what_nobody_touched_for_half_an_hour_is_abandoned(cluster: Cluster, send: Any) -> None:
    batch = Batch()
    batch.push(send, 1)
    cluster.run(Command(keys_of(batch).slot, ("HSET", keys_of(batch).head, "active_ms", 5)))
    assert batch.status().state == "abandoned"
    batch.push(send, 2)
    assert batch.status().state == "open"


def test_a_hundred_thousand_members_cost_two_bits_each(cluster: Cluster, send: Any) -> None:
    """Also of time they cost little: they are numbered, kept and pushed in bulk."""
    with Batch() as batch:
        batch.push_many(send.options(delay=3600), [(1,)] * 100_000)
    keys = keys_of(batch)
    used = sum(cluster.run(Command(keys.slot, ("MEMORY", "USAGE", key, "SAMPLES", 0))) for key in keys.all)
    assert used < 2 * 100_000 / 8 + 10_000
    assert (batch.status().total, owed(cluster, batch)) == (100_000, 0)


def test_a_coroutine_pushes_without_waiting(send: Any, done: Any) -> None:
    async def begin() -> Batch:
        async with Batch(success=done) as batch:
            await asyncio.gather(*[batch.apush(send, number) for number in range(20)])
            await batch.apush_many(send, [(number,) for number in range(20)])
            assert (await batch.astatus()).state == "open"
        return batch

    status = asyncio.run(begin()).status()
    assert (status.state, status.total) == ("running", 40)


@pytest.mark.parametrize("fails", [False, True])
def test_also_in_a_coroutine_an_exception_leaves_it_uncommitted(send: Any, fails: bool) -> None:
    async def begin(batch: Batch) -> None:
        async with batch:
            await batch.apush(send, 1)
            if fails:
                raise ZeroDivisionError

    batch = Batch()
    with pytest.raises(ZeroDivisionError) if fails else nullcontext():
        asyncio.run(begin(batch))
    assert batch.status().state == ("open" if fails else "running")
