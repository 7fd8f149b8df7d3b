"""What guards handlers: blocks that run once, permits, rates."""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from ganger.cluster import Cluster
from ganger.errors import QuorumLost
from ganger.keys import OnceMark
from ganger.operations import once
from ganger.operations.once import Holder
from ganger.throttle.holders import this_process
from ganger.throttle.rate import Taken, Tap
from ganger.throttle.semaphore import Permit, Semaphore, renew
from ganger.throttle.servers import Servers
from ganger.throttle.shares import parse_rate
from support.stage import Stage
from support.stories.registry import story
from support.waiting import until

T = TypeVar("T")
MARK = OnceMark("ganger", "charge:42")
TIMES = {"pending_ms": 60_000, "ttl_ms": 90_000}


@story
def a_block_that_runs_once(stage: Stage) -> None:
    """A delivery begins it; if that hears nothing it is dead, and the job's next delivery takes over."""
    stage.begin()
    first, second = Holder("t1", "j1", b"1700000000000-1"), Holder("t2", "j1", b"1700000000000-2", 2)
    holder = [first]

    def begin(again: Holder | None = None) -> once.Begun:
        if again is not None:
            holder[0] = again
        return stage.act(
            lambda c: once.begin(c, MARK, holder[0], again=True, **TIMES),
            lambda c: take_over(c),
        )

    def take_over(cluster: Cluster) -> once.Begun:
        holder[0] = second
        return once.begin(cluster, MARK, second, again=True, **TIMES)

    assert begin().word == "begun"
    stage.act(lambda c: once.end(c, MARK, holder[0], "done", b"=7", ttl_ms=90_000))
    other = Holder("t3", "j2", b"1700000000000-3")
    seen = stage.act(lambda c: once.begin(c, MARK, other, again=True, **TIMES))
    assert (seen.word, seen.value) == ("done", b"=7")
    stage.deliver()
    late = once.begin(stage.cluster, MARK, Holder("t4", "j4", b"1700000000000-4"), again=True, **TIMES)
    assert (late.word, late.value) == ("done", b"=7"), "whatever came late, it is done"


def servers_of(stage: Stage) -> Servers:
    """One process', which lives through the whole story."""
    silent = stage.case is not None and stage.case.fault.silent
    return Servers(stage.throttles, answer_s=0.1 if silent else 1.0)


def patiently(stage: Stage, call: Callable[[], T]) -> T:
    """On a busy machine two servers may be left alone at once, for a second."""
    found: list[T] = []

    def answered() -> bool:
        with suppress(QuorumLost):
            found.append(stage.act(lambda _: call()))
        return bool(found)

    until(answered, "a quorum", 8.0)
    return found[0]


def votes(stage: Stage) -> Counter[str]:
    """token -> on how many servers it has a seat."""
    found: Counter[str] = Counter()
    for one in stage.semaphores.all:
        for key in one.server.call("KEYS", "*:holders"):
            flat = one.server.call("HGETALL", key)
            found.update(record.split(b"|")[0].decode() for record in flat.values())
    return found


def permit_of(stage: Stage, semaphore: Semaphore) -> Permit:
    """A server that did not answer is left alone for a second; on a busy machine that may be two of them."""
    found: list[Permit] = []

    def granted() -> bool:
        outcome = stage.act(lambda _: semaphore.attempt(this_process()))
        if isinstance(outcome, Permit):
            found.append(outcome)
            return True
        assert outcome.why == "quorum", "one server in trouble is no reason to refuse"
        return False

    until(granted, "a permit", 8.0)
    return found[0]


def tell_permits(stage: Stage, limit: int) -> None:
    stage.begin()
    servers = servers_of(stage)
    try:
        semaphore = Semaphore(servers, "ganger", "api", limit)
        first = permit_of(stage, semaphore)
        assert stage.act(lambda _: renew(servers, [first])) == []
        stage.act(lambda _: semaphore.release(first))
        held = [permit_of(stage, semaphore) for _ in range(1)]
        assert [seat.token for seat in patiently(stage, semaphore.inspect)] == [held[0].token]
        patiently(stage, lambda: semaphore.force_release(held[0].token, at_once=True))
        last = permit_of(stage, semaphore)
        stage.act(lambda _: semaphore.release(last))
        stage.deliver()
        left = votes(stage)
        assert all(count <= 1 for count in left.values()), f"a majority for somebody who is gone: {left}"
        assert len(left) <= 1
    finally:
        servers.close()


@story
def a_permit_with_a_seat(stage: Stage) -> None:
    tell_permits(stage, 1)


@story
def a_permit_of_many(stage: Stage) -> None:
    tell_permits(stage, 70)


def tell_takes(stage: Stage, burst: int | None) -> None:
    """Never more than the rate, what is not used given back; what a fault takes is spent, and no more."""
    stage.begin()
    servers = servers_of(stage)
    try:
        rate = parse_rate("6/3600s", burst)
        tap = Tap("mail", rate, servers, "ganger")
        unused = patiently(stage, lambda: tap.take(1))
        if isinstance(unused, Taken):
            stage.act(lambda _: tap.refund(unused, 1))
        let = sum(isinstance(patiently(stage, lambda: tap.take(1)), Taken) for _ in range(8))
        stage.deliver()
        let += isinstance(patiently(stage, lambda: Tap("mail", rate, servers, "ganger").take(1)), Taken)
        assert let <= 6 and (let == 6 or stage.case is not None), f"{let} came through"
    finally:
        servers.close()


@story
def a_rate_taken(stage: Stage) -> None:
    tell_takes(stage, None)


@story
def a_rate_with_a_burst_taken(stage: Stage) -> None:
    tell_takes(stage, 6)
