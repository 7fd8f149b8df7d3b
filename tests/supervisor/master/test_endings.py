"""Ending runs of real processes: the right run dies, with its stack, and no other."""

import ctypes
import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gangerd.linux.signals import DUMP_SIGNAL, SOFT_TIMEOUT_SIGNAL
from gangerd.master.deadlines import look
from gangerd.master.ending import CANCELLED, RELEASED, TIMEOUT, Ending
from gangerd.master.endings import Endings
from support.puppets import FAR_NS, MS, S, Script, Stage, Strings, stage, until


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Stage]:
    with stage(tmp_path, slots=6) as made:
        yield made


def turn(scene: Stage, endings: Endings) -> None:
    endings.tick(list(scene.children.values()), time.monotonic_ns())


def hang(strings: Strings, hard_in_ns: int = 0) -> None:
    now_ns = time.monotonic_ns()
    strings.run(now_ns + FAR_NS, now_ns + (hard_in_ns or 20 * MS))
    strings.ready()
    a_job_that_hangs()


def a_job_that_hangs() -> None:
    while True:
        time.sleep(60)


def switching(seed: int) -> Script:
    """Run after run, each 2 ms short of time at most; some end early, some too late, at any moment of the
    master's work on them."""

    def script(strings: Strings) -> None:
        rng = random.Random(seed)
        strings.ready()
        while True:
            now_ns = time.monotonic_ns()
            strings.run(0, now_ns + 2 * MS)
            wake_ns = now_ns + rng.randrange(25 * MS)
            while time.monotonic_ns() < wake_ns:
                time.sleep(0.0005)
            strings.done()

    return script


def test_no_innocent_run_is_killed(scene: Stage) -> None:
    endings = Endings(scene.recorder.seats)
    slots, trials, killed, innocent = range(6), 400, 0, 0
    begun: set[tuple[str, int]] = set()
    give_up = time.monotonic() + 40
    while len(begun) < trials:
        assert time.monotonic() < give_up
        for slot in slots:
            if slot not in scene.children:
                scene.fork(slot, switching(len(begun) * 8 + slot))
        turn(scene, endings)
        begun |= {(w, e.target.run_seq) for w, e in under_way(endings)}
        for slot, child in list(scene.children.items()):
            intent = endings.intent(child.incarnation)
            if intent is not None:
                scene.reap(slot)
                killed += 1
                started, finished = scene.journals[slot][0], scene.journals[slot][1]
                innocent += not (intent.run_seq == started and finished < started and intent.cause == TIMEOUT)
                endings.forget(child.incarnation)
        time.sleep(0.001)  # the loop under test comes round about so often
    assert innocent == 0
    assert killed > trials / 20, "the test must really kill"
    assert len(begun) - killed > trials / 20, "and it must really spare"


def under_way(endings: Endings) -> list[tuple[str, Ending]]:
    return [(name, w.ending) for name, w in endings._watches.items() if w.ending is not None]


def test_without_the_second_look_innocents_die(scene: Stage) -> None:
    """The control: the same puppets, the same dump, and a kill on the first look."""
    trials, innocent = 40, 0
    for trial in range(trials):
        child = scene.fork(0, switching(trial))
        page = scene.seat(0).page
        until(lambda: 0 < look(page).hard_ns < time.monotonic_ns())  # noqa: B023
        run = look(page).run_seq
        os.kill(child.pid, DUMP_SIGNAL)
        time.sleep(0.010)  # waiting for the dump is the mistake that is shown
        os.kill(child.pid, signal.SIGKILL)
        scene.reap(0)
        innocent += scene.journals[0][1] >= run
    assert innocent > 0


def test_an_overdue_run_dies_with_its_stack_and_an_intent(scene: Stage) -> None:
    child = scene.fork(0, hang)
    endings = Endings(scene.recorder.seats)
    begin = time.monotonic()
    until(lambda: endings.intent(child.incarnation) is not None, step=lambda: turn(scene, endings))
    assert scene.reap(0).signal == signal.SIGKILL
    assert time.monotonic() - begin < 1.5
    intent = endings.intent(child.incarnation)
    assert intent is not None and (intent.run_seq, intent.cause) == (1, TIMEOUT)
    stack = os.pread(scene.seat(0).crash_fd, 65536, 0).decode()
    assert "a_job_that_hangs" in stack
    endings.forget(child.incarnation)
    assert endings.intent(child.incarnation) is None


def test_no_stack_is_an_answer(scene: Stage) -> None:
    def deaf(strings: Strings) -> None:
        signal.signal(DUMP_SIGNAL, signal.SIG_IGN)
        hang(strings)

    child = scene.fork(0, deaf)
    endings = Endings(scene.recorder.seats)
    until(lambda: endings.intent(child.incarnation) is not None, step=lambda: turn(scene, endings))
    assert scene.reap(0).signal == signal.SIGKILL
    assert os.fstat(scene.seat(0).crash_fd).st_size == 0


def test_a_spared_worker_goes_on_and_its_stack_is_forgotten(scene: Stage) -> None:
    told, tell = os.pipe()

    def moves_on(strings: Strings) -> None:
        hard_ns = time.monotonic_ns() + FAR_NS
        strings.run(0, time.monotonic_ns())
        strings.ready()
        os.read(told, 1)
        strings.done()
        strings.run(0, hard_ns)
        while True:
            strings.journal[2] += 1
            time.sleep(0.001)

    child = scene.fork(0, moves_on)
    endings = Endings(scene.recorder.seats)
    turn(scene, endings)
    assert endings.next_ns is not None
    os.write(tell, b"x")
    until(lambda: scene.journals[0][0] == 2 and scene.journals[0][2] > 0)
    until(lambda: endings.next_ns is None, step=lambda: turn(scene, endings))
    assert endings.intent(child.incarnation) is None
    beats = scene.journals[0][2]
    until(lambda: scene.journals[0][2] > beats + 3)
    assert os.fstat(scene.seat(0).crash_fd).st_size == 0
    os.kill(child.pid, DUMP_SIGNAL)
    until(lambda: os.fstat(scene.seat(0).crash_fd).st_size > 0)
    assert b"\0" not in os.pread(scene.seat(0).crash_fd, 65536, 0)  # no hole where the old stack was


def test_soft_knocks_once_a_second_while_it_runs(scene: Stage) -> None:
    soft_ns = time.monotonic_ns()

    def counts(strings: Strings) -> None:
        def knock(*_: object) -> None:
            strings.journal[2] += 1

        signal.signal(SOFT_TIMEOUT_SIGNAL, knock)
        strings.run(soft_ns, soft_ns + FAR_NS)
        strings.ready()
        a_job_that_hangs()

    scene.fork(0, counts)
    endings, journal = Endings(scene.recorder.seats), scene.journals[0]
    workers = list(scene.children.values())
    endings.tick(workers, soft_ns - 1)
    for second in range(3):
        endings.tick(workers, soft_ns + second * S)
        endings.tick(workers, soft_ns + second * S + 999 * MS)
        until(lambda: journal[2] >= second + 1)  # noqa: B023
        assert journal[2] == second + 1
    endings.moved(60 * S, soft_ns + 70 * S)  # the master was away: the run gets the time back
    endings.tick(workers, soft_ns + 59 * S)
    endings.tick(workers, soft_ns + 61 * S)
    until(lambda: journal[2] >= 4)
    assert journal[2] == 4


def test_shutdown_ends_whatever_runs_and_the_idle_too(scene: Stage) -> None:
    def idles(strings: Strings) -> None:
        strings.ready()
        a_job_that_hangs()

    busy = scene.fork(0, lambda strings: hang(strings, FAR_NS))
    idle = scene.fork(1, idles)
    endings = Endings(scene.recorder.seats)
    for child in (busy, idle, busy):
        endings.end(child, RELEASED, time.monotonic_ns())
    workers = (busy, idle)
    until(lambda: all(endings.intent(w.incarnation) for w in workers), step=lambda: turn(scene, endings))
    assert {scene.reap(0).signal, scene.reap(1).signal} == {signal.SIGKILL}
    intents = [endings.intent(w.incarnation) for w in workers]
    assert [(i.run_seq, i.cause) for i in intents if i] == [(1, RELEASED), (0, RELEASED)]


def test_ending_for_memory_is_bound_to_the_run_under_way(scene: Stage) -> None:
    child = scene.fork(0, lambda strings: hang(strings, FAR_NS))
    endings = Endings(scene.recorder.seats)
    endings.end(child, "memory_limit", time.monotonic_ns())
    until(lambda: endings.intent(child.incarnation) is not None, step=lambda: turn(scene, endings))
    scene.reap(0)
    intent = endings.intent(child.incarnation)
    assert intent is not None and (intent.run_seq, intent.cause) == (1, "memory_limit")


def test_a_cancel_ends_the_run_it_names_and_no_other(scene: Stage) -> None:
    child = scene.fork(0, lambda strings: hang(strings, FAR_NS))
    endings = Endings(scene.recorder.seats)
    endings.end(child, CANCELLED, time.monotonic_ns(), run_seq=2)
    assert endings.next_ns is None, "its run is number 1"
    endings.end(child, CANCELLED, time.monotonic_ns(), run_seq=1)
    until(lambda: endings.intent(child.incarnation) is not None, step=lambda: turn(scene, endings))
    assert scene.reap(0).signal == signal.SIGKILL
    intent = endings.intent(child.incarnation)
    assert intent is not None and (intent.run_seq, intent.cause) == (1, CANCELLED)


def test_a_page_of_somebody_else_ends_nobody(scene: Stage) -> None:
    child = scene.fork(0, hang)
    endings = Endings(scene.recorder.seats)
    child.incarnation = "00000000000000ff"
    endings.tick([child], time.monotonic_ns() + FAR_NS)
    endings.end(child, "memory_limit", time.monotonic_ns())
    assert endings.next_ns is None and endings.intent(child.incarnation) is None


def test_a_worker_inside_the_kernel_is_reported_and_dies_later(scene: Stage) -> None:
    """A parent that waits in vfork is in state D: SIGSTOP has to wait, as on a dead disk."""

    def in_the_kernel(strings: Strings) -> None:
        libc = ctypes.CDLL(None)
        stack = ctypes.create_string_buffer(65536)
        now_ns = time.monotonic_ns()
        strings.run(0, now_ns)
        strings.ready()
        top = ctypes.c_void_p((ctypes.addressof(stack) + 65536) & ~15)
        clone_vfork = 0x4000
        libc.clone(
            ctypes.cast(libc.sleep, ctypes.c_void_p), top, clone_vfork | signal.SIGCHLD, ctypes.c_void_p(30)
        )
        a_job_that_hangs()

    child = scene.fork(0, in_the_kernel)
    children = Path(f"/proc/{child.pid}/task/{child.pid}/children")
    until(lambda: children.read_text().strip() != "")
    endings = Endings(scene.recorder.seats)
    skip_ns = 0

    def late() -> None:
        endings.tick([child], time.monotonic_ns() + skip_ns)

    until(lambda: stopping(child.pid), step=late)
    skip_ns = 2 * S
    until(lambda: endings.stuck(child.incarnation), step=late)
    assert endings.intent(child.incarnation) is None
    os.kill(int(children.read_text()), signal.SIGKILL)
    until(lambda: endings.intent(child.incarnation) is not None, step=late)
    assert scene.reap(0).signal == signal.SIGKILL


def stopping(pid: int) -> bool:
    """SIGSTOP is pending or done."""
    status = Path(f"/proc/{pid}/status").read_text()
    pending = [int(line.split()[1], 16) for line in status.splitlines() if line[:6] in ("ShdPnd", "SigPnd")]
    return any(bits >> (signal.SIGSTOP - 1) & 1 for bits in pending)
