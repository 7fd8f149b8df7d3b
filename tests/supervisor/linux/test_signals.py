"""Signals through the self pipe; each test in a child, so that the test run keeps its own handlers."""

import os
import signal

from gangerd.linux import signals
from gangerd.linux.signals import Meaning
from support import children


def in_child(body: object) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(children.fork(body), 0)[1])  # type: ignore[arg-type]


def test_signals_arrive_as_bytes_in_order_with_repeats() -> None:
    def body() -> None:
        fd = signals.install([signal.SIGTTIN, signal.SIGTERM])
        assert fd == signals.install([signal.SIGHUP])
        assert signals.read() == []
        for number in (signal.SIGTTIN, signal.SIGTTIN, signal.SIGHUP, signal.SIGTERM):
            os.kill(os.getpid(), number)
        assert children.readable(fd, 5)
        assert signals.read() == [signal.SIGTTIN, signal.SIGTTIN, signal.SIGHUP, signal.SIGTERM]
        assert signals.read() == []

    assert in_child(body) == 0


def test_a_flood_does_not_block_and_wakes() -> None:
    def body() -> None:
        fd = signals.install([signal.SIGUSR2])
        for _ in range(70_000):
            os.kill(os.getpid(), signal.SIGUSR2)
        assert children.readable(fd, 5)
        assert len(signals.read()) > 1000

    assert in_child(body) == 0


def test_a_forked_child_writes_into_its_parents_pipe_until_it_uninstalls() -> None:
    def body() -> None:
        fd = signals.install([signal.SIGTERM])

        def clean() -> None:
            signals.uninstall()
            os.kill(os.getpid(), signal.SIGTERM)

        assert os.waitstatus_to_exitcode(os.waitpid(children.fork(clean), 0)[1]) == -signal.SIGTERM
        assert not children.readable(fd, 0)

        def unclean() -> None:
            os.kill(os.getpid(), signal.SIGTERM)

        assert os.waitpid(children.fork(unclean), 0)[1] == 0
        assert signals.read() == [signal.SIGTERM], "this is why uninstall must come first"

    assert in_child(body) == 0


def test_our_own_signals_do_no_harm_once_ignored() -> None:
    def body() -> None:
        signals.ignore_own_signals()

        def newborn() -> None:
            os.kill(os.getpid(), signals.DUMP_SIGNAL)
            os.kill(os.getpid(), signals.SOFT_TIMEOUT_SIGNAL)

        assert os.waitpid(children.fork(newborn), 0)[1] == 0, "ignored signals are inherited by a fork"

    assert in_child(body) == 0


def test_every_signal_of_the_operator_has_a_meaning() -> None:
    assert {number: signals.MEANINGS[number] for number in (signal.SIGTERM, signal.SIGINT)} == {
        signal.SIGTERM: Meaning.DRAIN,
        signal.SIGINT: Meaning.DRAIN,
    }
    assert set(signals.MEANINGS.values()) == set(Meaning)
    assert {signals.DUMP_SIGNAL, signals.SOFT_TIMEOUT_SIGNAL}.isdisjoint(signals.MEANINGS)
    assert signal.SIGRTMIN < signals.DUMP_SIGNAL < signals.SOFT_TIMEOUT_SIGNAL < signal.SIGRTMAX
