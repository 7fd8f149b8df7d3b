"""The heap of moments: order, moving, cancelling."""

from gangerd.roles.timers import Timers


def test_moments_come_in_their_order() -> None:
    timers: Timers[str] = Timers()
    for name, at_ns in (("late", 30), ("early", 10), ("middle", 20)):
        timers.set(name, at_ns)
    assert timers.next_ns() == 10
    assert timers.pop_due(9) == []
    assert timers.pop_due(20) == ["early", "middle"]
    assert timers.next_ns() == 30
    assert len(timers) == 1


def test_a_moment_can_be_moved_both_ways() -> None:
    timers: Timers[str] = Timers()
    timers.set("a", 10)
    timers.set("a", 30)
    assert timers.pop_due(20) == []
    timers.set("a", 5)
    assert timers.pop_due(20) == ["a"]
    assert timers.pop_due(40) == []
    assert timers.next_ns() is None


def test_the_earlier_of_two_wishes_stands() -> None:
    timers: Timers[str] = Timers()
    timers.set_earlier("a", 20)
    timers.set_earlier("a", 30)
    assert timers.next_ns() == 20
    timers.set_earlier("a", 10)
    assert timers.next_ns() == 10


def test_a_cancelled_moment_never_comes() -> None:
    timers: Timers[str] = Timers()
    timers.set("a", 10)
    timers.cancel("a")
    timers.cancel("never set")
    assert not timers.is_set("a")
    assert timers.pop_due(100) == []


def test_moving_one_name_for_ever_does_not_grow_the_heap() -> None:
    timers: Timers[str] = Timers()
    for at_ns in range(10_000):
        timers.set("a", at_ns)
    assert len(timers._heap) < 100
    assert timers.pop_due(10_000) == ["a"]
