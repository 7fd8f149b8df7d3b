"""The soft timeout: JobTimeout lands in the handler's code, during its run, and nowhere else."""

import json
import os
import signal
import sys
import time
from collections.abc import Iterator

import pytest

from ganger.errors import JobTimeout
from gangerd.linux.signals import SOFT_TIMEOUT_SIGNAL
from gangerd.worker.overdue import SoftTimeout, call_handler, in_handler


@pytest.fixture
def soft() -> Iterator[SoftTimeout]:
    timeout = SoftTimeout()
    before = signal.signal(SOFT_TIMEOUT_SIGNAL, timeout.knock)
    yield timeout
    signal.signal(SOFT_TIMEOUT_SIGNAL, before)


def knock() -> None:
    os.kill(os.getpid(), SOFT_TIMEOUT_SIGNAL)


def test_an_overdue_handler_gets_it(soft: SoftTimeout) -> None:
    soft.arm(time.monotonic_ns() - 1, 30)
    with pytest.raises(JobTimeout, match="longer than its 30 s"):
        call_handler(knock, (), {})


def test_a_handler_within_its_time_does_not(soft: SoftTimeout) -> None:
    soft.arm(time.monotonic_ns() + 60_000_000_000, 60)
    call_handler(knock, (), {})


def test_a_knock_between_two_runs_does_nothing(soft: SoftTimeout) -> None:
    soft.arm(time.monotonic_ns() - 1, 1)
    knock()  # overdue, but this is not the handler
    soft.disarm()
    call_handler(knock, (), {})


def test_code_that_swallows_it_meets_it_again(soft: SoftTimeout) -> None:
    caught = []

    def stubborn() -> None:
        for _ in range(3):
            try:
                knock()
            except Exception as error:
                caught.append(error)

    soft.arm(time.monotonic_ns() - 1, 1)
    call_handler(stubborn, (), {})
    assert [type(error) for error in caught] == [JobTimeout] * 3


def test_it_is_not_raised_inside_the_engine_which_the_handler_calls(soft: SoftTimeout) -> None:
    """Half a reply read would be the next caller's. Here a function that says it is of the engine."""
    inside = {"__name__": "ganger.wire.link", "knock": knock}
    exec("def talk():\n    knock()\n    return 'whole'", inside)
    soft.arm(time.monotonic_ns() - 1, 1)
    assert call_handler(inside["talk"], (), {}) == "whole"  # type: ignore[arg-type]


def test_it_is_raised_in_a_library_that_the_handler_calls(soft: SoftTimeout) -> None:
    class Knocking(dict):  # type: ignore[type-arg]
        def items(self):  # type: ignore[no-untyped-def]
            knock()
            return super().items()

    soft.arm(time.monotonic_ns() - 1, 1)
    with pytest.raises(JobTimeout):
        call_handler(json.dumps, (Knocking(a=1),), {"indent": 1})


def test_the_frame_of_the_call_itself_is_not_the_handlers() -> None:
    assert not in_handler(sys._getframe())
    assert call_handler(lambda: in_handler(sys._getframe()), (), {})
