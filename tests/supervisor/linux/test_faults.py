"""Crash files, written by processes that really die."""

import ctypes
import os
import signal
from collections.abc import Callable

import pytest

from gangerd.linux import faults, signals
from support import children
from support.waiting import until


def the_culprit(deed: Callable[[], object]) -> None:
    deed()


def die_in(fd: int, deed: Callable[[], object]) -> int:
    def body() -> None:
        faults.enable(fd)
        the_culprit(deed)

    return os.waitstatus_to_exitcode(os.waitpid(children.fork(body), 0)[1])


@pytest.mark.parametrize(
    ("deed", "number"),
    [
        (lambda: ctypes.string_at(0), signal.SIGSEGV),
        (os.abort, signal.SIGABRT),
        (lambda: os.kill(os.getpid(), signal.SIGBUS), signal.SIGBUS),
        (lambda: os.kill(os.getpid(), signal.SIGFPE), signal.SIGFPE),
        (lambda: os.kill(os.getpid(), signal.SIGILL), signal.SIGILL),
    ],
)
def test_a_death_leaves_its_stack_and_keeps_its_signal(deed: Callable[[], object], number: int) -> None:
    fd = faults.create(0)
    assert die_in(fd, deed) == -number
    stack = faults.read_and_truncate(fd)
    assert stack.startswith("Fatal Python error") and "the_culprit" in stack
    assert faults.size(fd) == 0 and faults.read_and_truncate(fd) == ""
    os.close(fd)


def test_each_life_begins_with_an_empty_file() -> None:
    fd = faults.create(0)
    for _ in range(2):
        assert die_in(fd, os.abort) == -signal.SIGABRT
        stack = faults.read_and_truncate(fd)
        assert stack.startswith("Fatal Python error: Aborted") and stack.count("Fatal") == 1
    os.close(fd)


def test_sigkill_leaves_nothing() -> None:
    fd = faults.create(0)
    assert die_in(fd, lambda: os.kill(os.getpid(), signal.SIGKILL)) == -signal.SIGKILL
    assert faults.read_and_truncate(fd) == ""
    os.close(fd)


def test_a_stuck_worker_shows_its_stack_and_lives_on() -> None:
    fd = faults.create(0)
    reader, writer = os.pipe()

    def wait() -> None:
        os.write(writer, b"2")
        children.hang()

    def body() -> None:
        signals.ignore_own_signals()
        os.write(writer, b"1")
        os.read(go_reader, 1)
        faults.enable(fd)
        faults.register_dump()
        the_culprit(wait)

    go_reader, go_writer = os.pipe()
    with children.child(body) as pid:
        assert os.read(reader, 1) == b"1"
        assert faults.request_dump(pid), "ignored before the handler is there"
        os.write(go_writer, b"!")
        assert os.read(reader, 1) == b"2"
        for _ in range(2):
            assert faults.request_dump(pid)
            until(lambda: "the_culprit" in os.pread(fd, 10_000, 0).decode(), "the stack came")
            assert "the_culprit" in faults.read_and_truncate(fd)
    assert not faults.request_dump(pid)
    os.close(fd)


def test_a_huge_file_is_cut_to_its_end() -> None:
    fd = faults.create(0)
    os.write(fd, b"x" * 50_000 + b"the end")
    stack = faults.read_and_truncate(fd)
    assert stack.endswith("the end") and len(stack) < faults.MAX_STACK_BYTES + 100
    os.close(fd)


def test_a_dump_needs_a_crash_file() -> None:
    def body() -> None:
        with pytest.raises(RuntimeError):
            faults.register_dump()

    assert os.waitpid(children.fork(body), 0)[1] == 0
