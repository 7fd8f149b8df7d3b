"""burial.py: real workers die of real causes; what is told of them, and that their place is clean
afterwards."""

import ctypes
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gangerd.linux import cgroup, processes
from gangerd.master.burial import KEPT_PAGES, Burial
from gangerd.master.deaths import Deaths
from gangerd.master.ending import RELEASED
from gangerd.master.fence import Fence
from gangerd.recorder import ClaimToken, Counter, EntryState, Phase, Word
from support.parish import MASTER, Parish, parish_at
from support.puppets import MS, S, Strings, held, until

MB = 1 << 20


@pytest.fixture
def parish(tmp_path: Path) -> Iterator[Parish]:
    with parish_at(tmp_path) as made:
        yield made


def runs(strings: Strings) -> None:
    strings.run(0, time.monotonic_ns() + 60 * S)
    strings.page.enter(Phase.RUNNING, time.monotonic_ns())
    strings.page.counters[Counter.STARTED] = 7
    strings.ready()


def a_job_that_touches_nothing() -> None:
    ctypes.string_at(0)


def segfaults(strings: Strings) -> None:
    runs(strings)
    a_job_that_touches_nothing()


def test_a_segfault_in_a_job(parish: Parish) -> None:
    death = parish.die(segfaults)
    assert (death.cause, death.signal, death.exit_code) == ("segfault", signal.SIGSEGV, None)
    assert death.uses_attempt and death.counts_as_crash
    assert (death.id, death.worker, death.consumer, death.slot) == (f"{1:016x}", f"{1:016x}", MASTER, 0)
    assert death.held == [held()] and death.states == [EntryState.STARTED] and death.running == 0
    assert "a_job_that_touches_nothing" in death.stack
    assert death.counters[Counter.STARTED] == 7
    assert death.at_ms == 1_700_000_000_123 and 0 <= death.ran_ms < 10_000
    assert death.peak_rss_bytes > MB and death.peak_of == "job"  # it was its first run
    assert death.rusage["max_rss_bytes"] > MB


def exits(strings: Strings) -> None:
    runs(strings)
    os._exit(3)


def test_its_place_is_clean_and_its_death_is_spooled(parish: Parish) -> None:
    death = parish.die(segfaults)
    seat = parish.stage.seat(0)
    assert not any(seat.page.words[:16]) and os.fstat(seat.crash_fd).st_size == 0
    successor = Deaths(parish.run_dir / "deaths")
    successor.load()
    assert list(successor.unsent()) == [death]
    assert parish.memory.rss_bytes(death.worker) == 0
    again = parish.die(exits)  # a stack is not inherited
    assert (again.cause, again.exit_code, again.stack) == ("exit", 3, "")


def test_killed_by_a_stranger(parish: Parish) -> None:
    def waits(strings: Strings) -> None:
        runs(strings)
        time.sleep(60)

    child = parish.fork(waits)
    parish.memory.tick([child], 0)
    os.kill(child.pid, signal.SIGKILL)
    death = parish.bury(child).death
    assert death is not None and (death.cause, death.uses_attempt) == ("killed", True)


def test_ended_at_its_deadline(parish: Parish) -> None:
    def hangs(strings: Strings) -> None:
        strings.run(0, time.monotonic_ns())
        strings.ready()
        time.sleep(60)

    child = parish.fork(hangs)
    until(
        lambda: parish.endings.intent(child.incarnation) is not None,
        step=lambda: parish.endings.tick([child], time.monotonic_ns()),
    )
    death = parish.bury(child).death
    assert death is not None and (death.cause, death.signal) == ("timeout", signal.SIGKILL)
    assert death.uses_attempt and death.counts_as_crash and "hangs" in death.stack
    assert parish.endings.intent(child.incarnation) is None


def test_released_by_a_shutdown(parish: Parish, capfd: pytest.CaptureFixture[str]) -> None:
    def waits(strings: Strings) -> None:
        runs(strings)
        time.sleep(60)

    child = parish.fork(waits)
    parish.endings.end(child, RELEASED, time.monotonic_ns())
    until(
        lambda: parish.endings.intent(child.incarnation) is not None,
        step=lambda: parish.endings.tick([child], time.monotonic_ns()),
    )
    death = parish.bury(child).death
    assert death is not None and death.cause == "released" and death.running == 0
    assert not death.uses_attempt and not death.counts_as_crash
    assert "error" not in capfd.readouterr().err


def test_all_it_held_and_the_claim_on_its_way(parish: Parish) -> None:
    def busy(strings: Strings) -> None:
        states = [EntryState.DONE, EntryState.HELD, EntryState.TAKEN, EntryState.GONE]
        strings.page.hold([held(f"j{n}") for n in range(4)], states, 0)
        strings.page.claim_sent(9, 13)
        strings.ready()
        os.kill(os.getpid(), signal.SIGUSR1)

    death = parish.die(busy)
    assert death.cause == f"signal_{signal.SIGUSR1:d}"
    assert [each.jid for each in death.held] == ["j0", "j1", "j2", "j3"]
    assert death.states == [EntryState.DONE, EntryState.HELD, EntryState.TAKEN, EntryState.GONE]
    assert death.running is None and not death.uses_attempt
    assert death.claim == ClaimToken(9, "video", 1)


def test_a_claim_at_no_known_target_is_told(parish: Parish) -> None:
    def lost(strings: Strings) -> None:
        strings.page.claim_sent(9, 4000)
        strings.ready()
        os._exit(1)

    death = parish.die(lost)
    assert death.claim is None and any("target 4000" in line for line in death.evidence)


def leaves(strings: Strings) -> None:
    strings.page.counters[Counter.STARTED] = 7
    strings.ready()


def test_who_leaves_in_order_makes_no_death(parish: Parish) -> None:
    child = parish.fork(leaves)
    child.in_order = True
    burial = parish.bury(child)
    assert burial == Burial(None, False, "left", burial.counters)
    assert burial.counters[Counter.STARTED] == 7, "what it counted last outlives its page"
    assert len(parish.deaths) == 0 and not any(parish.stage.seat(0).page.words[:16])


def test_who_leaves_unannounced_or_owing_something_does(parish: Parish) -> None:
    assert parish.die(leaves).cause == "exit"

    def owes(strings: Strings) -> None:
        strings.page.hold([held()], [EntryState.DONE], 0)
        strings.ready()

    child = parish.fork(owes)
    child.in_order = True
    death = parish.bury(child).death
    assert death is not None and death.states == [EntryState.DONE] and not death.uses_attempt


def test_a_garbled_page_is_set_aside(parish: Parish, capfd: pytest.CaptureFixture[str]) -> None:
    def scribbles(strings: Strings) -> None:
        runs(strings)
        strings.page.words[Word.BATCH] = (1 << 64) - 1
        a_job_that_touches_nothing()

    death = parish.die(scribbles)
    assert death.held == [] and death.states == [] and death.running is None
    assert "batch word" in death.garbled and death.cause == "segfault" and not death.uses_attempt
    (kept,) = parish.run_dir.glob("garbled-page-*")
    assert kept.stat().st_size == 64 * 1024
    assert "page_garbled" in capfd.readouterr().err
    for number in range(KEPT_PAGES + 3):
        (parish.run_dir / f"garbled-page-{number}").write_bytes(b"")
    parish.die(scribbles)
    assert len(list(parish.run_dir.glob("garbled-page-*"))) == KEPT_PAGES


def stays(strings: Strings) -> None:
    strings.ready()
    time.sleep(60)


def test_dead_before_it_ever_moved_in(parish: Parish) -> None:
    child = parish.fork(stays)
    parish.stage.seat(0).page.wipe()
    child.served_ns, child.reason = 0, "its birth took too long"
    os.kill(child.pid, signal.SIGKILL)
    burial = parish.bury(child)
    assert burial.death is not None and not burial.in_job
    assert burial.cause == "released" and burial.death.held == [] and burial.death.claim is None


def test_a_page_of_another_worker_is_garbled(parish: Parish) -> None:
    child = parish.fork(segfaults)
    child.incarnation = f"{77:016x}"
    death = parish.bury(child).death
    assert death is not None and "of worker" in death.garbled and death.held == []


def test_what_its_job_started_is_ended(parish: Parish) -> None:
    def starts_one(strings: Strings) -> None:
        os.setsid()
        pid = os.fork()
        if pid == 0:
            time.sleep(60)
        strings.journal[2] = pid
        runs(strings)
        os._exit(4)

    child = parish.fork(starts_one)
    death = parish.bury(child).death
    left = parish.stage.journals[0][2]
    assert death is not None and any("left a process" in line for line in death.evidence)
    until(lambda: not processes.is_alive(left, processes.start_time(left) or 0))


@pytest.mark.oom
def test_the_oom_killer_takes_one_worker_of_a_leaf(parish: Parish) -> None:
    if cgroup.detect().kind != "v1" or os.geteuid() != 0:
        pytest.skip("needs a writable memory cgroup (v1)")
    fence = Fence(MASTER, 48 * MB)
    leaf = parish.stage.seat(0).leaf = fence.leaf(f"{1:016x}")

    def eats(strings: Strings) -> None:
        cgroup.join(leaf)
        runs(strings)
        kept = []
        while True:
            kept.append(bytearray(b"x" * (4 * MB)))

    try:
        death = parish.die(eats)
    finally:
        fence.remove(leaf)
        fence.close()
    assert (death.cause, death.signal) == ("oom_kill", signal.SIGKILL)
    assert death.counts_as_crash and not Path(leaf).exists()
    assert death.peak_of == "job" and death.peak_rss_bytes > 32 * MB


def test_burying_is_quick(parish: Parish) -> None:
    """It happens in the master's loop."""
    took = []
    for _ in range(5):
        child = parish.fork(segfaults)
        reaped = parish.stage.reap(0)
        begin = time.monotonic_ns()
        parish.undertaker.bury(child, reaped, at_ms=1, now_ns=begin)
        took.append(time.monotonic_ns() - begin)
    assert min(took) < 50 * MS
