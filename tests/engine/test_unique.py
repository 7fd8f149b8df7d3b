"""Unique jobs as an application pushes them: which are the same, and what a conflict leads to."""

from collections.abc import Sequence
from typing import Any

import pytest

from ganger import NotUnique, job
from ganger.client import Client
from ganger.cluster import Cluster
from ganger.command import Command
from ganger.config import EngineConfig
from ganger.errors import BadOptions
from ganger.keys import Control, partitions
from ganger.lifecycle import JobState
from ganger.operations import claim, find, settle
from ganger.pausing import pause_type
from ganger.unique import digest
from support.keyspace import HOST, WORKER
from support.servers import ClusterServers


@job(queue="once", unique_for=3600)
def send(to: str, subject: str = "hi") -> None: ...


@job(queue="once", unique_for=3600, unique_key=["to"], on_conflict="raise")
def remind(to: str, text: str = "") -> None: ...


@job(queue="once", unique_for=3600, unique_key=lambda user, **_: user["id"], on_conflict="replace")
def index(user: dict[str, Any], **more: Any) -> None: ...


@job(queue="once")
def plain(n: int) -> None: ...


@pytest.fixture
def client(cluster_servers: ClusterServers, cluster: Cluster) -> Client:
    config = EngineConfig(redis=cluster_servers.settings())
    return Client(config, cluster=cluster)


def found(cluster: Cluster, jid: str) -> find.Found | None:
    place = next(p for p in partitions("ganger", "once", 12) if p.index == int(jid[12:14], 32))
    return find.find(cluster, place, jid)


def same(one: Any, other: Any) -> bool:
    (args, kwargs), (others, other_kwargs) = one, other
    options = send.defaults
    return digest("once", send.name, options, args, kwargs) == digest(
        "once", send.name, options, others, other_kwargs
    )


def test_arguments_count_by_their_names() -> None:
    assert same((["a", "b"], {}), (["a"], {"subject": "b"}))
    assert same((["a", "b"], {}), ([], {"subject": "b", "to": "a"}))
    assert not same((["a"], {}), (["b"], {}))
    assert not same((["a"], {}), (["a", "hi"], {})), "a default that was left out is not filled in"
    assert digest("once", "t", send.defaults, ["a"], {}) != digest("two", "t", send.defaults, ["a"], {})


def test_the_second_push_answers_the_holder(client: Client, cluster: Cluster) -> None:
    first = send.options().push_with(client, "a@b.c")
    assert send.options().push_with(client, to="a@b.c") == first
    other = send.options().push_with(client, "d@e.f")
    assert other != first and found(cluster, other) is not None
    assert client.push(send.name, ["a@b.c"]) == first, "by name, its parameters known from the manifest"


def test_the_holder_is_told_without_a_push(client: Client) -> None:
    assert client.holder(send.name, ["a@b.c"]) is None
    first = send.options().push_with(client, "a@b.c")
    assert client.holder(send.name, [], {"to": "a@b.c"}) == first
    with pytest.raises(BadOptions, match="is not unique"):
        client.holder(plain.name, [5])


def test_many_in_one_trip(client: Client) -> None:
    jids = send.options().push_many([(str(n % 3),) for n in range(9)], client=client)
    assert len(set(jids)) == 3 and jids[:3] * 3 == jids
    assert send.options().push_many([("1",), ("9",)], client=client)[0] == jids[1]


def test_a_conflict_can_raise(client: Client) -> None:
    first = remind.options().push_with(client, "a@b.c", text="one")
    with pytest.raises(NotUnique, match=first) as told:
        remind.options().push_with(client, "a@b.c", text="two")
    assert told.value.holder == first
    with pytest.raises(NotUnique):
        remind.options().push_many([("x@y.z",), ("a@b.c",)], client=client)


@pytest.mark.parametrize("delay", [None, 3600])
def test_a_waiting_holder_is_replaced_by_the_newest(
    client: Client, cluster: Cluster, delay: int | None
) -> None:
    first = index.options(delay=delay).push_with(client, {"id": 7, "name": "old"})
    second = index.options(delay=delay).push_with(client, {"id": 7, "name": "new"})
    assert first != second and found(cluster, first) is None
    left = found(cluster, second)
    assert left is not None and b"new" in left.record.body


def test_a_parked_holder_is_replaced_by_the_newest(client: Client, cluster: Cluster) -> None:
    first = index.options().push_with(client, {"id": 7, "name": "old"})
    pause_type(cluster, Control("ganger"), index.name)
    for place in partitions("ganger", "once", 12):
        assert claim.claim(cluster, place, HOST, WORKER, 1, budget_us=1).entries == []
    parked = found(cluster, first)
    assert parked is not None and parked.state is JobState.PARKED
    second = index.options().push_with(client, {"id": 7, "name": "new"})
    assert first != second and found(cluster, first) is None and found(cluster, second) is not None


def test_a_holder_at_work_is_not_replaced(client: Client, cluster: Cluster) -> None:
    first = index.options().push_with(client, {"id": 7})
    place = found(cluster, first)
    assert place is not None
    (entry,) = claim.claim(cluster, place.partition, HOST, WORKER, 1, budget_us=1, costs={}).entries
    with pytest.raises(NotUnique, match="at work"):
        index.options().push_with(client, {"id": 7})
    assert index.options(on_conflict="skip").push_with(client, {"id": 7}) == first
    settle.settle(cluster, place.partition, "succeeded", {entry.stream: [entry.id]})
    assert index.options().push_with(client, {"id": 7}) != first


def test_one_push_may_ask_for_it(client: Client) -> None:
    first = plain.options(unique_for=60).push_with(client, 5)
    assert plain.options(unique_for=60).push_with(client, 5) == first
    assert plain.options().push_with(client, 5) != first
    with pytest.raises(BadOptions, match="needs unique_for"):
        plain.options(on_conflict="raise").push_with(client, 5)


def test_a_jid_of_other_arguments_is_refused(client: Client) -> None:
    first = send.options().push_with(client, "a")
    assert client.push(send.name, ["a"], jid=first) == first
    elsewhere = next(
        jid
        for n in range(40)
        if (jid := send.options().push_with(client, f"other {n}"))[12:14] != first[12:14]
    )
    with pytest.raises(BadOptions, match="another partition"):
        client.push(send.name, ["a"], jid=elsewhere)


def test_a_key_that_json_can_t_hold_is_told() -> None:
    @job(unique_for=5, unique_key=lambda n: object())
    def odd(n: int) -> None: ...

    with pytest.raises(BadOptions, match="JSON can't hold"):
        digest("q", odd.name, odd.defaults, [1], {})
    with pytest.raises(BadOptions, match="function as unique_key"):
        digest("q", "elsewhere", odd.defaults, [1], {})


class Twice(Cluster):
    """Each trip of many commands is repeated whole, as where all replies of the first one were lost."""

    def run_many(self, commands: Sequence[Command], **how: Any) -> list[Any]:
        super().run_many(commands, **how)
        return super().run_many(commands, **how)


def test_many_pushed_at_once_are_all_in_though_every_trip_is_repeated(
    cluster_servers: ClusterServers, cluster: Cluster
) -> None:
    twice = Twice(cluster_servers.settings())
    client = Client(EngineConfig(redis=cluster_servers.settings()), cluster=twice)
    client.push_many(send.name, [(f"{n}@b.c",) for n in range(100)])  # all partitions are open now
    jids = client.push_many(send.name, [(f"{n}@b.c",) for n in range(100, 1500)])
    assert len(set(jids)) == 1400
    parts = partitions("ganger", "once", 12)
    lengths = cluster.run_many([Command(part.slot, ("XLEN", part.ready[4])) for part in parts])
    assert sum(lengths) == 1500
    client.close()
