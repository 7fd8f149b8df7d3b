"""What lies in Redis may be anybody's: each structure of a partition, and those of the cluster, get bytes
that ganger never wrote, between jobs that it did. Then a worker claims and runs, the scheduler does its
rounds, and people look.

Nobody falls over them, nobody repeats them for ever; every job that was pushed runs.
"""

import contextlib
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import example, given
from hypothesis import strategies as st

from ganger import job
from ganger.cluster import Cluster, Command
from ganger.keys import GROUP
from ganger.operations import claim, control
from ganger.options import Options
from ganger.push_options import PushOptions
from gangerd import log
from gangerd.roles.scheduler.service import Scheduler
from support.dirt import BID, GOOD, KEYS, dirt, hashes, shelves, streams
from support.fuzzing import fuzz
from support.inprocess import check_command
from support.roles import stage
from support.servers import ClusterServers
from support.soil import soil
from support.worker_bench import Bench

RAN: Counter[int] = Counter()
GONE = "00000000000000ee"
"""A host that is no more."""


@job(name="fuzz.count", queue="q", retry=0)
def count(number: int) -> None:
    RAN[number] += 1


LOOKS = (
    ["status"],
    ["queues"],
    ["workers"],
    ["crashes"],
    ["scheduled"],
    ["retries"],
    ["dead", "list"],
    ["cron", "list"],
    ["limits"],
    ["batches"],
)


@pytest.fixture
def bench(fuzz_servers: ClusterServers, fuzz_cluster: Cluster) -> Bench:
    fuzz_servers.flush()
    return Bench(fuzz_servers, fuzz_cluster)


def begun(bench: Bench, servers: ClusterServers) -> None:
    """A fresh partition with three jobs to count."""
    servers.flush()
    RAN.clear()
    control.register_queue(bench.cluster, KEYS, "q", 1)
    for number in range(3):
        enqueue(bench, number)


def enqueue(bench: Bench, number: int, *, delay: float | None = None) -> None:
    bench.client.send("fuzz.count", Options(queue="q", retry=0), PushOptions(delay=delay), [([number], {})])


def work(bench: Bench) -> None:
    """Claim and run until nothing waits; at most as often as what is there can explain."""
    for _ in range(40):
        for index in range(bench.trip()):
            bench.performer.perform(index)
        bench.fetch.settle()
        if not bench.fetch.more and not bench.look().ready:
            return
    raise AssertionError(f"there is no end of it: {bench.look()}")


@fuzz(25)
@example(what=[("returned", (1, b"*", [b"t", b"fuzz.count", b"b", b"{}"]))])
@example(what=[("ready", (9, b"*", [b"j", b"\xc3\xa9" * 64, b"t", b"x" * 120, b"b", b"{}"]))] * 150)
@given(what=st.lists(st.one_of(streams(), shelves(), hashes()), min_size=1, max_size=6))
def test_a_worker_gets_through(
    what: list[tuple[str, Any]], bench: Bench, fuzz_servers: ClusterServers
) -> None:
    begun(bench, fuzz_servers)
    soil(bench, what)
    work(bench)
    assert all(RAN[number] >= 1 for number in range(3)), RAN


@contextlib.contextmanager
def told() -> Iterator[list[Any]]:
    """What is logged meanwhile."""
    with structlog.testing.capture_logs() as lines:
        yield lines


@fuzz(12)
@given(what=dirt)
@example(what=[("paused_types", (b"", b"9999999999999 {}"))])
@example(what=[("returned", (1, b"*", [b"t", b"fuzz.count", b"b", b"{}"]))])
@example(what=[("later", (b"x", b"0", b"t\n0\n0\n{}"))])
@example(what=[("returned", (1, b"2305843009213693953-1", [b"t", b"fuzz.count", b"b", b"{}"]))])
@example(what=[("later", (b"\xc3\xa9" * 33, b"inf", None)), ("later", (b"", b"0", None))])
def test_the_scheduler_does_its_rounds(
    what: list[tuple[str, Any]], bench: Bench, fuzz_servers: ClusterServers
) -> None:
    """What is due becomes ready and what the lost held comes back, whatever lies beside it."""
    begun(bench, fuzz_servers)
    assert (
        len(
            claim.claim(
                bench.cluster, bench.partition, GONE, GONE, 1, budget_us=10**9, costs={"fuzz.count": 1}
            ).entries
        )
        == 3
    )
    for number in (3, 4):
        enqueue(bench, number, delay=0.001)
    soil(bench, what)
    bench.cluster.run(Command(KEYS.slot, ("DEL", KEYS.leader)))
    control.register_queue(bench.cluster, KEYS, "q", 1)  # as any coordinator does within five seconds
    with stage(fuzz_servers.url, lease_ms=100) as at, told() as lines:
        scheduler = Scheduler(at.role, bench.cluster)
        scheduler.begin()
        for duty in ("sweep", "trim", "retain", "consumers", "forget", "cron", "batches"):
            at.role.loop.soon(duty)
        at.run_until(lambda: owed(bench) == set(), "what is due and what was lost is back")
        assert scheduler.leads()
    assert not [line for line in lines if line["event"] == log.INTERNAL_ERROR], lines
    work(bench)
    assert all(RAN[number] >= 1 for number in range(5)), RAN


def owed(bench: Bench) -> set[int]:
    """Our jobs that are still in later, or in the hands of a host that is gone."""
    part = bench.partition
    found = set()
    for bucket in part.jobs:
        for record in bench.cluster.run(Command(part.slot, ("HVALS", bucket))):
            found |= {
                number
                for number in (3, 4)
                if record.endswith(b"[%d]" % number) or b'"args":[%d],"pushed' % number in record
            }
    for stream in part.streams:
        found |= {
            -1
            for row in bench.cluster.run(Command(part.slot, ("XPENDING", stream, GROUP)))[3] or ()
            if row[0] == GONE.encode()
        }
    return found


@fuzz(6)
@given(what=dirt)
@example(what=[("catalog", (b"q", b"{}")), ("totals", (b"exit", b"x")), ("retains", (b"q", b"x"))])
@example(what=[("hosts", (b"h", b'9999999999999 {"workers":[5]}')), ("crash", (b"c", b'{"at_ms":"x"}'))])
@example(what=[("control.crons", (b"\x80", b"x")), ("dead", (GOOD[0].encode(), b"inf", None))])
def test_people_look(
    what: list[tuple[str, Any]], bench: Bench, fuzz_servers: ClusterServers, tmp_path_factory: Any
) -> None:
    begun(bench, fuzz_servers)
    soil(bench, what)
    cwd: Path = tmp_path_factory.getbasetemp()
    env = {"GANGER_REDIS": fuzz_servers.url}
    for words in LOOKS:
        for form in ([], ["--json"]):
            said = check_command([*words, *form], cwd, env)
            if form:
                with contextlib.suppress(ValueError):
                    json.loads(said)
    for words in (["job", "show"], ["why"], ["dead", "show"], ["job", "cancel"], ["job", "retry"]):
        check_command([*words, GOOD[0]], cwd, env)
    for words in (
        ["batch", "show", BID],
        ["cron", "history", "n"],
        ["cron", "next", "n"],
        ["queue", "history"],
    ):
        check_command(words, cwd, env)
