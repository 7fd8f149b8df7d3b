"""The loop of a role: descriptors, duties, and what happens to a duty that fails."""

import os

import pytest

from gangerd.roles.loop import LeaveLoop, Loop


def leave(status: int) -> None:
    raise LeaveLoop(status)


def test_a_duty_comes_round_and_one_that_fails_does_too() -> None:
    loop, calls = Loop(), []

    def duty() -> None:
        calls.append(loop.now_ns)
        if len(calls) == 3:
            leave(7)
        raise RuntimeError("a mistake in a duty")

    loop.every("duty", 5, duty)
    assert loop.run() == 7
    assert len(calls) == 3
    assert calls[2] - calls[1] >= 4_000_000


def test_a_readable_descriptor_is_served_before_time_is_up() -> None:
    loop = Loop()
    reading, writing = os.pipe()
    loop.watch(reading, lambda: leave(len(os.read(reading, 10))))
    os.write(writing, b"abc")
    assert loop.run() == 3
    loop.forget(reading)
    os.close(reading)
    os.close(writing)


def test_a_descriptor_that_is_closed_already_can_be_forgotten() -> None:
    loop = Loop()
    reading, writing = os.pipe()
    loop.watch(reading, lambda: None)
    os.close(reading)
    loop.forget(reading)
    loop.forget(reading)
    os.close(writing)


def test_a_duty_on_request_comes_once_at_the_earliest_wish() -> None:
    loop, calls = Loop(), []
    loop.when_asked("duty", lambda: calls.append(1))
    loop.every("end", 20, lambda: leave(0) if calls else None)
    loop.soon("duty", 10_000)
    loop.soon("duty", 1)
    loop.soon("duty", 5_000)
    assert loop.run() == 0
    assert calls == [1]


def test_a_stopped_duty_does_not_come() -> None:
    loop, calls = Loop(), []
    loop.every("duty", 1, lambda: calls.append(1))
    loop.stop("duty")
    loop.round(0.01)
    assert not calls


def test_a_sign_of_life_comes_with_every_round_and_after_every_duty() -> None:
    loop, seen = Loop(), []
    loop.sign_of_life(lambda: seen.append("sign"))
    loop.round(0.0)
    loop.round(0.0)
    assert seen == ["sign"] * 2
    seen.clear()
    for name in ("first", "second"):
        loop.when_asked(name, lambda name=name: seen.append(name))  # type: ignore[misc]
        loop.soon(name)
    loop.round(0.0)
    assert seen == ["first", "sign", "second", "sign", "sign"]


def test_only_leaving_ends_it_from_a_sign_of_life() -> None:
    loop = Loop()
    loop.sign_of_life(lambda: leave(4))
    with pytest.raises(LeaveLoop):
        loop.round(0.0)
