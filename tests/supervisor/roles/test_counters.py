"""Deltas for statsd: every count is reported once, whatever dies or is told twice."""

from gangerd.recorder import COUNTERS, Counter
from gangerd.roles.coordinator.counters import Deltas


def counters(started: int, succeeded: int = 0) -> list[int]:
    values = [0] * COUNTERS
    values[Counter.STARTED], values[Counter.SUCCEEDED] = started, succeeded
    return values


def taken(deltas: Deltas) -> tuple[int, int]:
    found = deltas.take()
    return found[Counter.STARTED], found[Counter.SUCCEEDED]


def test_a_page_is_counted_as_it_grows() -> None:
    deltas = Deltas(fresh=True)
    deltas.page("a", counters(3, 2))
    assert taken(deltas) == (3, 2)
    deltas.page("a", counters(3, 3))
    assert taken(deltas) == (0, 1)
    assert taken(deltas) == (0, 0)


def test_a_death_brings_what_the_page_no_longer_shows() -> None:
    deltas = Deltas(fresh=True)
    deltas.page("a", counters(3))
    taken(deltas)
    deltas.death("a", counters(7))
    deltas.page("b", counters(1))
    assert taken(deltas) == (5, 0)


def test_a_death_told_twice_counts_once() -> None:
    deltas = Deltas(fresh=True)
    deltas.death("a", counters(7))
    deltas.death("a", counters(7))
    assert taken(deltas) == (7, 0)
    deltas.page("a", counters(7))
    assert taken(deltas) == (0, 0)


def test_a_garbled_page_tells_nothing_at_its_death() -> None:
    deltas = Deltas(fresh=True)
    deltas.page("a", counters(3))
    deltas.death("a", [])
    assert taken(deltas) == (3, 0)


def test_a_successor_does_not_count_again_what_was_reported() -> None:
    deltas = Deltas(fresh=False)
    deltas.page("a", counters(1_000))
    deltas.death("dead before", counters(500))
    assert taken(deltas) == (0, 0)
    deltas.page("a", counters(1_001))
    deltas.page("born later", counters(2))
    assert taken(deltas) == (3, 0)


def test_counters_that_shrink_are_garbage() -> None:
    deltas = Deltas(fresh=True)
    deltas.page("a", counters(5))
    deltas.page("a", counters(2))
    assert taken(deltas) == (5, 0)


def test_incarnations_that_left_in_order_are_forgotten() -> None:
    deltas = Deltas(fresh=True)
    deltas.page("a", counters(5))
    for _ in range(200):
        deltas.take()
    assert not deltas._last
