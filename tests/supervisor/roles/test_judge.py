"""The judge's table of observations: what proves that a lease has run out, and what does not."""

import pytest

from ganger.keys import partitions
from ganger.operations.recover import Lease
from gangerd.roles.loop import MS
from gangerd.roles.scheduler.judge import Judge

PLACE = partitions("ganger", "mail", 2)[0]
LEASE_MS = 15_000


def lease(id: bytes = b"1-1", owner: str = "aa", delivered_ms: int = 1_000, stream: int = 5) -> Lease:
    return Lease(PLACE, stream, id, owner, delivered_ms)


def watch(judge: Judge, looks: list[tuple[int, str, list[Lease]]]) -> list[list[bytes]]:
    """(at ms, node, leases) -> the ids judged lost at each look."""
    return [[each.id for each in judge.look(PLACE, node, seen, at * MS)] for at, node, seen in looks]


def seconds(*moments: int, node: str = "a", leases: list[Lease]) -> list[tuple[int, str, list[Lease]]]:
    return [(at * 1000, node, leases) for at in moments]


def test_a_lease_that_stood_still_for_a_whole_lease_is_lost() -> None:
    looks = watch(Judge(LEASE_MS), seconds(*range(0, 17), leases=[lease()]))
    assert looks == [[]] * 15 + [[b"1-1"], [b"1-1"]]


@pytest.mark.parametrize(
    ("what", "later"),
    [
        ("renewed", lease(delivered_ms=6_000)),
        ("another owner", lease(owner="bb")),
        ("a clock stepped back", lease(delivered_ms=-80_000)),
        ("another stream", lease(stream=0)),
    ],
)
def test_whatever_changes_starts_the_watch_anew(what: str, later: Lease) -> None:
    judge = Judge(LEASE_MS)
    before = seconds(*range(0, 15), leases=[lease()])
    after = seconds(*range(15, 31), leases=[later])
    looks = watch(judge, before + after)
    assert looks[:-1] == [[]] * 30
    assert looks[-1] == [later.id]


def test_two_readings_of_one_clock_may_wobble() -> None:
    looks = [(at * 1000, "a", [lease(delivered_ms=1_000 + at % 2)]) for at in range(16)]
    assert watch(Judge(LEASE_MS), looks)[-1] == [b"1-1"]


def test_an_old_delivery_time_alone_proves_nothing() -> None:
    """A promotion to a node whose clock is ahead makes every lease look ancient at once."""
    ancient = lease(delivered_ms=-10_000_000)
    assert watch(Judge(LEASE_MS), seconds(0, 1, leases=[ancient])) == [[], []]


def test_another_node_starts_the_watch_anew() -> None:
    judge = Judge(LEASE_MS)
    watch(judge, seconds(*range(0, 15), leases=[lease()]))
    assert watch(judge, seconds(15, 16, 29, node="b", leases=[lease()])) == [[], [], []]


def test_a_judge_that_was_away_knows_nothing() -> None:
    judge = Judge(LEASE_MS)
    watch(judge, seconds(*range(0, 10), leases=[lease()]))
    assert watch(judge, seconds(70, 71, leases=[lease()])) == [[], []]


def test_looks_that_failed_for_less_than_the_gap_end_no_watch() -> None:
    judge = Judge(LEASE_MS)
    watch(judge, seconds(*range(0, 10), leases=[lease()]))
    assert watch(judge, seconds(14, 15, leases=[lease()])) == [[], [b"1-1"]]
    watch(judge, seconds(*range(20, 30), leases=[lease(b"2-1")]))
    renewed = lease(b"2-1", delivered_ms=25_000)
    assert watch(judge, seconds(34, 35, leases=[renewed])) == [[], []]


def test_an_entry_that_was_gone_in_between_is_watched_anew() -> None:
    judge = Judge(LEASE_MS)
    watch(judge, [*seconds(*range(0, 14), leases=[lease()]), *seconds(14, leases=[])])
    assert watch(judge, seconds(15, 16, leases=[lease()])) == [[], []]


def test_each_lease_has_its_own_time() -> None:
    judge = Judge(LEASE_MS)
    first, second = lease(b"1-1"), lease(b"2-1")
    watch(judge, seconds(*range(0, 5), leases=[first]))
    looks = watch(judge, seconds(*range(5, 21), leases=[first, second]))
    assert looks[10] == [b"1-1"]
    assert looks[15] == [b"1-1", b"2-1"]
