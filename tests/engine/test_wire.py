"""The pure parts of the transport: verdicts on error replies, pauses, the breaker, redirections, checks."""

import random

import pytest

from ganger.errors import (
    ClusterUnavailable,
    EvictionEnabled,
    GangerError,
    NotACluster,
    ScriptFailed,
    ServerBusy,
    ServerFull,
    ServerTooOld,
    WriteRefused,
    WrongPassword,
)
from ganger.wire.breaker import DOWN_S, PROBE_S, Breaker
from ganger.wire.node import Node, Stretch, read_address, read_slots
from ganger.wire.replies import LONGEST_PAUSE_S, Advice, classify, explain, pause_s
from ganger.wire.server_check import check_server, read_info

ASKED = Node("10.0.0.1", 7000)


@pytest.mark.parametrize(
    ("text", "advice", "error"),
    [
        ("MOVED 866 127.0.0.1:7001", Advice.MOVED, ClusterUnavailable),
        ("ASK 866 127.0.0.1:7001", Advice.ASK, ClusterUnavailable),
        ("NOSCRIPT No matching script. Please use EVAL.", Advice.SOURCE, ScriptFailed),
        ("TRYAGAIN Multiple keys request during rehashing of slot", Advice.WAIT, ClusterUnavailable),
        ("CLUSTERDOWN Hash slot not served", Advice.REFRESH, ClusterUnavailable),
        ("LOADING Redis is loading the dataset in memory", Advice.REFRESH, ClusterUnavailable),
        ("MASTERDOWN Link with MASTER is down", Advice.REFRESH, ClusterUnavailable),
        ("READONLY You can't write against a read only replica.", Advice.REFRESH, WriteRefused),
        ("BUSY Redis is busy running a script.", Advice.WAIT, ServerBusy),
        ("OOM command not allowed when used memory > 'maxmemory'.", Advice.WAIT, ServerFull),
        ("NOREPLICAS Not enough good replicas to write.", Advice.WAIT, WriteRefused),
        ("MISCONF Redis is configured to save RDB snapshots", Advice.WAIT, WriteRefused),
        ("ERR max number of clients reached", Advice.WAIT, ClusterUnavailable),
        ("WRONGPASS invalid username-password pair", Advice.WAIT, WrongPassword),
        ("NOAUTH Authentication required.", Advice.WAIT, WrongPassword),
        ("ERR AUTH <password> called without any password configured", Advice.WAIT, WrongPassword),
        ("ERR This instance has cluster support disabled", Advice.FATAL, NotACluster),
        ("WRONGTYPE Operation against a key", Advice.FATAL, ScriptFailed),
        ("ERR Script attempted to access a non local key in a cluster node", Advice.FATAL, ScriptFailed),
        ("", Advice.FATAL, ScriptFailed),
    ],
)
def test_every_error_reply_has_a_verdict(text: str, advice: Advice, error: type[GangerError]) -> None:
    verdict = classify(text)
    assert (verdict.advice, verdict.error) == (advice, error)
    explained = explain(error, "script push", "h:1", text)
    assert type(explained) is error and "h:1" in str(explained)


def test_redirections() -> None:
    assert read_address(classify("MOVED 866 10.0.0.2:7001").target, ASKED) == Node("10.0.0.2", 7001)
    assert read_address(classify("ASK 866 ::1:7001").target, ASKED) == Node("::1", 7001)
    assert read_address(classify("MOVED 866 :7001").target, ASKED) == Node("10.0.0.1", 7001)
    with pytest.raises(ValueError, match="invalid literal"):
        read_address(classify("MOVED 866").target, ASKED)


def test_slots_reply() -> None:
    replica = [b"10.0.0.9", 7009, b"id"]
    reply = [[0, 99, [b"10.0.0.2", 7002, b"id"], replica], [100, 16383, [b"", 7000, b"id"]]]
    assert read_slots(reply, ASKED) == [Stretch(0, 99, Node("10.0.0.2", 7002)), Stretch(100, 16383, ASKED)]
    assert read_slots([[0, 1, [None, 7000]]], ASKED) == [Stretch(0, 1, ASKED)]
    for garbage in (b"OK", [[1]], [[b"x", 1, []]], 7, [[0, 1, None]]):
        with pytest.raises(ValueError, match="unknown form"):
            read_slots(garbage, ASKED)


def test_pauses_double_with_jitter_and_stay_short() -> None:
    rng = random.Random(1)
    for attempt in range(1, 40):
        pauses = [pause_s(attempt, rng) for _ in range(50)]
        longest = min(LONGEST_PAUSE_S, 0.004 * 2 ** (attempt - 1))
        assert longest / 2 <= min(pauses) and max(pauses) <= longest
        assert len(set(pauses)) > 40


def test_breaker_lets_one_prober_through() -> None:
    breaker = Breaker()
    assert breaker.allows(0) and not breaker.is_down(0)
    breaker.failed(10)
    assert breaker.is_down(10.5) and not breaker.allows(10.5)
    later = 10 + DOWN_S
    assert not breaker.is_down(later)
    assert breaker.allows(later) and not breaker.allows(later) and breaker.is_down(later)
    breaker.failed(later)
    assert not breaker.allows(later + DOWN_S / 2)
    assert breaker.allows(later + DOWN_S)
    breaker.succeeded()
    assert breaker.allows(later + DOWN_S) and not breaker.is_down(later + DOWN_S)


def test_a_prober_that_never_reports_is_forgotten() -> None:
    breaker = Breaker()
    breaker.failed(0)
    assert breaker.allows(DOWN_S) and not breaker.allows(DOWN_S + PROBE_S - 0.1)
    assert breaker.allows(DOWN_S + PROBE_S)


def test_server_check() -> None:
    good = read_info(b"# Server\r\nredis_version:7.0.15\r\ncluster_enabled:1\r\nmaxmemory:0\r\n")
    assert check_server(ASKED, good) == []
    with pytest.raises(ServerTooOld, match=r"6\.2\.5.*7\.0"):
        check_server(ASKED, good | {"redis_version": "6.2.5"})
    with pytest.raises(NotACluster, match="cluster-enabled"):
        check_server(ASKED, good | {"cluster_enabled": "0"})
    with pytest.raises(EvictionEnabled, match="allkeys-lru"):
        check_server(ASKED, good | {"maxmemory": "1000", "maxmemory_policy": "allkeys-lru"})
    assert len(check_server(ASKED, good | {"maxmemory_policy": "volatile-lru"})) == 1


@pytest.mark.parametrize(
    ("theirs_ms", "said"),
    [(1_004_000, ""), (995_000, ""), (4_600_000, "3,600 s ahead of"), (990_000, "10 s behind"), ("9²", "")],
)
def test_a_clock_that_is_far_from_ours_is_warned_of(theirs_ms: object, said: str) -> None:
    info = {"redis_version": "7.0.0", "server_time_usec": f"{theirs_ms}000"}
    assert check_server(ASKED, info) == []
    warnings = check_server(ASKED, info, now_ms=1_000_000)
    assert [said in warning for warning in warnings] == ([True] if said else [])


@pytest.mark.parametrize(
    ("durability", "replicas", "warns"),
    [("fast", "0", False), ("replicated", "0", True), ("fsynced", "0", True), ("replicated", "1", False)],
)
def test_a_primary_without_the_replica_that_is_waited_for_is_warned_of(
    durability: str, replicas: str, warns: bool
) -> None:
    info = {"redis_version": "7.0.0", "connected_slaves": replicas}
    assert bool(check_server(ASKED, info, durability)) is warns
