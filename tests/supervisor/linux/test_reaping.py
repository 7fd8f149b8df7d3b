"""Ended and stopped children, read from real deaths."""

import ctypes
import faulthandler
import os
import signal
import threading
from collections.abc import Callable

import pytest

from gangerd.linux import processes, reaping
from support import children
from support.waiting import until


@pytest.fixture(autouse=True)
def no_earlier_children() -> None:
    """What other tests have left unreaped must not be taken for ours."""
    list(reaping.ended_children())


def reap_one(pid: int) -> reaping.Reaped:
    until(lambda: reaping.next_ended() == pid, "the child ended")
    assert reaping.next_ended() == pid, "looking does not reap"
    reaped = reaping.reap(pid)
    assert reaped is not None and reaped.pid == pid
    return reaped


def die_of(number: int) -> Callable[[], None]:
    return lambda: os.kill(os.getpid(), number)


@pytest.mark.parametrize(
    ("body", "exit_code", "number"),
    [
        (lambda: os._exit(0), 0, None),
        (lambda: os._exit(3), 3, None),
        (lambda: ctypes.string_at(0), None, signal.SIGSEGV),
        (os.abort, None, signal.SIGABRT),
        (die_of(signal.SIGKILL), None, signal.SIGKILL),
        (die_of(signal.SIGRTMIN + 5), None, signal.SIGRTMIN + 5),
    ],
)
def test_how_a_child_ended(body: Callable[[], None], exit_code: int | None, number: int | None) -> None:
    def quiet() -> None:
        faulthandler.disable()
        body()

    reaped = reap_one(children.fork(quiet))
    assert (reaped.exit_code, reaped.signal) == (exit_code, number)
    assert reaped.rusage.ru_maxrss > 1000
    assert reaping.reap(reaped.pid) is None


def test_several_deaths_are_all_reaped_and_the_living_are_not() -> None:
    with children.child(children.hang) as living:
        assert reaping.next_ended() is None
        pids = {children.fork(lambda: os._exit(1)) for _ in range(5)}
        seen: set[int] = set()

        def collect() -> bool:
            seen.update(reaped.pid for reaped in reaping.ended_children())
            return seen == pids

        until(collect, "five children reaped")
        assert reaping.reap(living) is None


def test_no_children_is_no_error() -> None:
    def body() -> None:
        assert reaping.next_ended() is None
        assert list(reaping.ended_children()) == []
        assert not reaping.stopped(1)

    assert os.waitpid(children.fork(body), 0)[1] == 0


def test_a_stop_is_seen_when_all_threads_stand_and_until_it_goes_on() -> None:
    def body() -> None:
        thread = threading.Thread(target=lambda: [None for _ in iter(int, 1)], daemon=True)
        thread.start()
        children.hang()

    with children.child(body) as pid:
        assert not reaping.stopped(pid)
        os.kill(pid, signal.SIGSTOP)
        until(lambda: reaping.stopped(pid), "the child stopped")
        assert reaping.stopped(pid), "asking does not use the answer up"
        assert reaping.next_ended() is None, "stopped is not ended"
        os.kill(pid, signal.SIGCONT)
        assert not reaping.stopped(pid)
        os.kill(pid, signal.SIGKILL)
        until(lambda: reaping.next_ended() == pid, "the child ended")
        assert not reaping.stopped(pid)


def test_a_subreaper_gets_its_grandchildren_and_their_ends() -> None:
    def body() -> None:
        processes.set_subreaper()
        reader, writer = os.pipe()

        def parent() -> None:
            def orphan() -> None:
                os.close(writer)
                children.hang()

            os.write(writer, b"%d" % children.fork(orphan))

        assert os.waitpid(children.fork(parent), 0)[1] == 0
        os.close(writer)
        orphan_pid = int(os.read(reader, 100))
        os.kill(orphan_pid, signal.SIGTERM)
        assert reap_one(orphan_pid).signal == signal.SIGTERM

    assert os.waitpid(children.fork(body), 0)[1] == 0
