"""The doorbell: n rings wake n of eight real sleepers, and not all of them."""

import contextlib
import os
from collections.abc import Iterator

from gangerd.linux import doorbell
from support import children


class Sleepers:
    """Processes that answer each ring with one byte and sleep again."""

    def __init__(self, bell: int, count: int) -> None:
        self.reader, self._writer = os.pipe()
        self._bell = bell
        self.pids = [children.fork(self._sleep) for _ in range(count)]
        for _ in self.pids:
            assert os.read(self.reader, 1) == b"r"
        # "Ready" is said before the sleep; a ring meanwhile is not lost, which the tests rely on.

    def _sleep(self) -> None:
        sleeper = doorbell.Sleeper(self._bell)
        os.write(self._writer, b"r")
        while True:
            woken = sleeper.wait(60)
            if woken.rung:
                os.write(self._writer, b"!")

    def answers(self, at_least: int) -> int:
        """Answers so far once there are so many, and those that come within 50 ms more."""
        got = 0
        while got < at_least:
            assert children.readable(self.reader), f"only {got} of {at_least} rings answered"
            got += len(os.read(self.reader, 1000))
        while children.readable(self.reader, 0.05):
            got += len(os.read(self.reader, 1000))
        return got


@contextlib.contextmanager
def sleepers(bell: int, count: int) -> Iterator[Sleepers]:
    asleep = Sleepers(bell, count)
    try:
        yield asleep
    finally:
        for pid in asleep.pids:
            children.end(pid)


def context_switches(pids: list[int]) -> int:
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/status") as status:  # noqa: PTH123
            total += next(int(line.split()[1]) for line in status if line.startswith("voluntary_ctxt"))
    return total


def test_each_ring_wakes_one_sleeper() -> None:
    bell = doorbell.create()
    with sleepers(bell, 8) as asleep:
        for rings in (1, 3, 8, 1):
            doorbell.ring(bell, rings)
            assert asleep.answers(rings) == rings
        before = context_switches(asleep.pids)
        for _ in range(20):
            doorbell.ring(bell)
            assert asleep.answers(1) == 1
        # One wake-up is a switch or a few; waking all eight each time would be 160 at the least.
        assert context_switches(asleep.pids) - before < 100
    os.close(bell)


def test_more_rings_than_sleepers_are_all_answered() -> None:
    bell = doorbell.create()
    with sleepers(bell, 2) as asleep:
        doorbell.ring(bell, 50)
        assert asleep.answers(50) == 50
    os.close(bell)


def test_a_ring_before_the_sleep_is_not_lost_and_can_be_silenced() -> None:
    bell = doorbell.create()
    doorbell.ring(bell, 3)
    sleeper = doorbell.Sleeper(bell)
    assert sleeper.wait(10).rung
    assert doorbell.silence(bell) == 2
    assert sleeper.wait(0) == doorbell.Woken(False, ())
    sleeper.close()
    os.close(bell)


def test_a_sleeper_also_wakes_for_its_own_descriptors() -> None:
    bell = doorbell.create()
    reader, writer = os.pipe()
    sleeper = doorbell.Sleeper(bell, also=[reader])
    os.write(writer, b"x")
    assert sleeper.wait(10) == doorbell.Woken(False, (reader,))
    doorbell.ring(bell)
    assert sleeper.wait(10) == doorbell.Woken(True, (reader,))
    os.read(reader, 1)
    assert sleeper.wait(0.01) == doorbell.Woken(False, ())
    os.close(writer)
    assert sleeper.wait(10).readable == (reader,), "the end of a channel wakes too"
    sleeper.close()


def test_a_killed_sleeper_does_not_swallow_later_rings() -> None:
    bell = doorbell.create()
    with sleepers(bell, 3) as asleep:
        os.kill(asleep.pids[0], 9)
        os.waitpid(asleep.pids[0], 0)
        for _ in range(5):
            doorbell.ring(bell)
            assert asleep.answers(1) == 1
    os.close(bell)


def test_ringing_never_blocks() -> None:
    bell = doorbell.create()
    os.eventfd_write(bell, 2**64 - 2)
    doorbell.ring(bell, 3)
    assert children.readable(bell, 0)
    os.close(bell)
