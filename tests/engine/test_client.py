"""The client on real servers: what is pushed arrives once, where and when it was meant to."""

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from ganger import Client, actor, inspect, job
from ganger.client import set_default_client
from ganger.cluster import Cluster
from ganger.config import EngineConfig
from ganger.errors import BadArguments, BadOptions, JobTooLarge, OutcomeUnknown, UnknownType
from ganger.jid import mint, partition_of
from ganger.keys import Control
from ganger.operations import control
from support.servers import ClusterServers

KEYS = Control("ganger")


@pytest.fixture
def client(cluster: Cluster, cluster_servers: ClusterServers) -> Client:
    return Client(EngineConfig(cluster_servers.settings(), max_job_bytes=2000), cluster=cluster)


@pytest.fixture
def send(client: Client, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setattr(actor, "_registry", {})
    set_default_client(client)

    @job(name="shop.send", queue="mail", priority=7, expires_in=3600)
    def send(to: str, subject: str = "hi") -> None: ...

    yield send
    set_default_client(None)


def show(cluster: Cluster, jid: str) -> dict[str, Any]:
    return inspect.job(cluster, KEYS, jid)


def test_a_push_arrives_with_the_type_s_options(cluster: Cluster, send: Any) -> None:
    found = show(cluster, send.push("a@b.c", subject="hey"))
    assert (found["type"], found["queue"], found["priority"], found["state"]) == (
        "shop.send",
        "mail",
        7,
        "ready",
    )
    assert (found["args"], found["kwargs"]) == (["a@b.c"], {"subject": "hey"})
    assert 3_600_000 <= found["expires_at_ms"] - found["pushed_at_ms"] < 3_620_000


def test_options_of_one_push_win(cluster: Cluster, send: Any) -> None:
    found = show(cluster, send.options(delay=60, priority=9, queue="fast", retry=0, timeout=5).push("a"))
    assert (found["queue"], found["priority"], found["state"]) == ("fast", 9, "scheduled")
    assert found["overrides"] == {"retry": 0, "timeout": 5.0}
    assert 50_000 < found["due_at_ms"] - found["pushed_at_ms"] < 70_000
    assert found["expires_at_ms"] - found["due_at_ms"] == 3_600_000


def test_an_instant_may_be_given(cluster: Cluster, send: Any) -> None:
    at = dt.datetime(2040, 1, 1, tzinfo=dt.UTC)
    assert show(cluster, send.options(at=at).push("a"))["due_at_ms"] == int(at.timestamp()) * 1000
    assert show(cluster, send.options(at=2e9).push("a"))["due_at_ms"] == 2_000_000_000_000


def test_many_arrive_in_one_trip_over_all_partitions(cluster: Cluster, send: Any) -> None:
    jids = send.push_many([(f"{n}@b.c",) for n in range(500)])
    assert len(set(jids)) == 500
    assert inspect.queues(cluster, KEYS)["mail"]["ready"] == 500
    spread = Counter(partition_of(jid) for jid in jids)
    assert set(spread) == set(range(12)) and max(spread.values()) < 60
    assert show(cluster, jids[123])["args"] == ["123@b.c"]
    assert send.push_many([]) == []
    assert len(send.options(delay=5).push_many([{"to": "a"}, ("b",)])) == 2


def test_the_same_jid_again_adds_nothing(cluster: Cluster, client: Client, send: Any) -> None:
    jid = send.push("a")
    assert client.push("shop.send", ["a"], jid=jid) == jid
    jids = send.push_many([("a",)] * 40)
    assert client.push("shop.send", ["a"], jid=jids[17]) == jids[17]
    assert inspect.queues(cluster, KEYS)["mail"]["ready"] == 41


def test_a_jid_of_another_queue_is_refused(client: Client, send: Any) -> None:
    for bad in (mint("other", 0)[0], mint("mail", 500)[0], "nonsense"):
        with pytest.raises(BadOptions):
            client.push("shop.send", ["a"], jid=bad)


def test_a_push_that_nobody_remembers_is_not_advised_to_be_tried_again(client: Client, send: Any) -> None:
    ops = [mint("mail", 3)[0] for _ in range(65)]
    client.push("shop.send", ["a"], jid=ops[64])
    with pytest.raises(OutcomeUnknown, match="look for it") as caught:
        client.push("shop.send", ["a"], jid=ops[0])
    assert caught.value.jids == (ops[0],)
    assert "Push it again" not in str(caught.value)


def test_a_name_is_checked_against_what_live_hosts_announce(cluster: Cluster, client: Client) -> None:
    assert show(cluster, client.push("nobody.knows", [1]))["queue"] == "default"
    control.announce(cluster, KEYS, {"far.away": {"queue": "far", "priority": 2, "novel": True}})
    found = show(cluster, client.push("far.away", [1]))
    assert (found["queue"], found["priority"]) == ("far", 2)
    with pytest.raises(UnknownType, match=r"far\.awya"):
        client.push("far.awya", [1])


def test_a_job_that_is_too_large_is_refused(cluster: Cluster, send: Any) -> None:
    with pytest.raises(JobTooLarge, match="max_job_bytes"):
        send.push("x" * 2000)
    with pytest.raises(JobTooLarge):
        send.push_many([("a",), ("x" * 2000,)])
    assert inspect.queues(cluster, KEYS) == {}


@pytest.mark.parametrize(
    "options",
    [
        {"delay": "soon"},
        {"delay": 1, "at": 5},
        {"at": dt.datetime(2040, 1, 1)},
        {"priority": 0},
        {"colour": 1},
        {"retry": -1},
        {"expires_in": 0},
    ],
)
def test_bad_options_of_a_push_are_refused(send: Any, options: dict[str, Any]) -> None:
    with pytest.raises(BadOptions):
        send.options(**options).push("a")


def test_bad_arguments_reach_no_server(cluster: Cluster, client: Client, send: Any) -> None:
    for bad in (
        lambda: send.push(1),
        lambda: send.push_many(["ab"]),
        lambda: client.push("x", [b"y"]),
        lambda: client.push("x", "ab"),
        lambda: client.push("x", {"to": "ab"}),  # type: ignore[arg-type]
        lambda: client.push("x", 5),  # type: ignore[arg-type]
        lambda: client.push("x", [], [5]),  # type: ignore[arg-type]
    ):
        with pytest.raises(BadArguments):
            bad()
    assert inspect.queues(cluster, KEYS) == {}


def test_a_dead_node_is_gone_round(rough: Cluster, rough_servers: ClusterServers) -> None:
    """Pushes go to the partitions of the nodes that live; at most those caught by surprise are unknown."""
    client = Client(EngineConfig(rough_servers.settings(socket_timeout_s=0.3)), cluster=rough)
    control.announce(rough, KEYS, {"a.b": {"queue": "mail"}})
    client.push("a.b", [0])
    group = inspect.all_partitions(rough, KEYS)["mail"]
    victim = (rough_servers.index_of(KEYS.slot) + 1) % 3
    dead = {place.index for place in group if rough_servers.index_of(place.slot) == victim}
    _full_coverage(rough_servers, "no")
    rough_servers.pause(victim)
    try:
        pushed, unknown = _push_all(client, 24)
    finally:
        rough_servers.resume(victim)
        _full_coverage(rough_servers, "yes")
    assert {partition_of(jid) for jid in pushed}.isdisjoint(dead)
    assert {partition_of(jid) for jid in unknown} <= dead
    assert len(pushed) >= 20


def _push_all(client: Client, count: int) -> tuple[list[str], list[str]]:
    pushed: list[str] = []
    unknown: list[str] = []
    for number in range(count):
        try:
            pushed.append(client.push("a.b", [number]))
        except OutcomeUnknown as error:
            unknown += error.jids
    return pushed, unknown


def _full_coverage(servers: ClusterServers, value: str) -> None:
    for node in servers.nodes:
        node.call("CONFIG", "SET", "cluster-require-full-coverage", value)
