"""inheritance.py: a real master is killed, and its workers with it or not; a successor finds what they
held."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gangerd.board import Line
from gangerd.linux import processes, shared_memory
from gangerd.master import seats
from gangerd.master.deaths import Deaths
from gangerd.master.inheritance import inherit
from gangerd.messages import Death
from gangerd.recorder import (
    ClaimToken,
    EntryState,
    HeaderWord,
    Word,
    file_bytes,
    page_offset,
)
from support.children import readable
from support.puppets import S, Script, Stage, Strings, held, until

OLD = "00000000000000dd"
OWN = "00000000000000aa"


def sleeps(strings: Strings) -> None:
    strings.ready()
    time.sleep(60)


def works(strings: Strings) -> None:
    entries = [held(f"j{n}") for n in range(4)]
    states = [EntryState.DONE, EntryState.HELD, EntryState.GONE, EntryState.HELD]
    now_ns = time.monotonic_ns()
    strings.page.hold(entries, states, now_ns)
    strings.page.set_deadlines(now_ns - 5 * S, 0, 0, 0)
    strings.page.start(1)
    sleeps(strings)


def claims(strings: Strings) -> None:
    strings.page.claim_sent(77, 14)
    sleeps(strings)


def survives(strings: Strings) -> None:
    """It would go on after its master's end."""
    processes.die_with_parent(os.getppid(), 0)
    works(strings)


class OldMaster:
    """A process of its own with a recorder, a lock on it, and workers."""

    def __init__(self, run_dir: Path, *scripts: Script) -> None:
        told, tell = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                self._live(run_dir, tell, scripts)
            finally:
                os._exit(70)
        os.close(tell)
        assert readable(told, 20)
        self.workers = [int(pid) for pid in os.read(told, 4096).split()]
        os.close(told)
        assert len(self.workers) == len(scripts)

    def _live(self, run_dir: Path, tell: int, scripts: tuple[Script, ...]) -> None:
        processes.die_with_parent(os.getppid())
        stage = Stage(seats.create(run_dir, OLD, len(scripts)))
        stage.recorder.header[HeaderWord.COORDINATOR_AT_NS] = time.monotonic_ns()
        stage.recorder.board.write_directory([Line("mail", 12, 1), Line("video", 6, 1)])
        pids = [stage.fork(slot, script).pid for slot, script in enumerate(scripts)]
        os.write(tell, " ".join(map(str, pids)).encode())
        time.sleep(60)

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


@pytest.fixture
def deaths(tmp_path: Path) -> Deaths:
    made = Deaths(tmp_path / "deaths")
    made.load()
    return made


def by_slot(deaths: Deaths) -> dict[int, Death]:
    return {death.slot: death for death in deaths.unsent()}


def running(pid: int) -> bool:
    started = processes.start_time(pid)
    return started is not None and processes.is_alive(pid, started)


def test_what_a_killed_masters_workers_held_is_lost_and_told(
    tmp_path: Path, deaths: Deaths, capfd: pytest.CaptureFixture[str]
) -> None:
    master = OldMaster(tmp_path, works, sleeps, claims)
    assert inherit(tmp_path, OWN, deaths) == 0  # it lives: hands off
    assert "another master serves from this directory" in capfd.readouterr().err
    assert (tmp_path / f"recorder-{OLD}").exists() and all(running(pid) for pid in master.workers)
    master.kill()
    begin = time.monotonic()
    assert inherit(tmp_path, OWN, deaths) == 2
    assert time.monotonic() - begin < 0.9
    assert not any(running(pid) for pid in master.workers)
    found = by_slot(deaths)
    worker, claimer = found[0], found[2]
    assert (worker.consumer, worker.cause, worker.uses_attempt, worker.counts_as_crash) == (
        OLD,
        "lost",
        False,
        False,
    )
    assert (worker.id, worker.worker, worker.pid) == (f"{1:016x}", f"{1:016x}", master.workers[0])
    assert [each.jid for each in worker.held] == ["j0", "j1", "j2", "j3"]
    assert worker.states == [EntryState.DONE, EntryState.STARTED, EntryState.GONE, EntryState.HELD]
    assert worker.running == 1 and 4_900 < worker.ran_ms < 6_000
    assert claimer.claim == ClaimToken(77, "video", 2) and claimer.running is None and claimer.held == []
    assert list(tmp_path.glob("recorder-*")) == []
    assert len(list((tmp_path / "deaths").iterdir())) == 2
    assert inherit(tmp_path, OWN, deaths) == 0


def test_a_worker_that_outlived_its_master_is_ended_first(tmp_path: Path, deaths: Deaths) -> None:
    master = OldMaster(tmp_path, survives)
    master.kill()
    assert running(master.workers[0])
    begin = time.monotonic()
    assert inherit(tmp_path, OWN, deaths) == 1
    assert 0.9 < time.monotonic() - begin < 4
    assert not running(master.workers[0])


@pytest.mark.parametrize("whose", [os.getpid, os.getppid])
def test_the_pid_of_somebody_else_is_left_alone(
    tmp_path: Path, deaths: Deaths, whose: Callable[[], int]
) -> None:
    master = OldMaster(tmp_path, works)
    master.kill()
    until(lambda: not running(master.workers[0]))
    path = tmp_path / f"recorder-{OLD}"
    with path.open("r+b") as file:
        file.seek(page_offset(0) + 8 * Word.PID)
        file.write(whose().to_bytes(8, "little"))  # the kernel gave its number away
    begin = time.monotonic()
    assert inherit(tmp_path, OWN, deaths) == 1
    assert time.monotonic() - begin < 0.9


def test_a_death_spooled_before_its_master_was_killed_wins(tmp_path: Path, deaths: Deaths) -> None:
    master = OldMaster(tmp_path, works)
    seen = Death(f"{1:016x}", OLD, f"{1:016x}", 0, master.workers[0], 1, 5, "segfault", True, True)
    deaths.add(seen)
    master.kill()
    successor = Deaths(tmp_path / "deaths")
    assert successor.load() == 1
    assert inherit(tmp_path, OWN, successor) == 0
    assert list(successor.unsent()) == [seen]
    assert list(tmp_path.glob("recorder-*")) == []


def test_a_garbled_page_costs_only_itself(
    tmp_path: Path, deaths: Deaths, capfd: pytest.CaptureFixture[str]
) -> None:
    master = OldMaster(tmp_path, works, works)
    master.kill()
    with (tmp_path / f"recorder-{OLD}").open("r+b") as file:
        file.seek(page_offset(0) + 8 * Word.BATCH)
        file.write(b"\xff" * 8)
    assert inherit(tmp_path, OWN, deaths) == 1
    assert list(by_slot(deaths)) == [1]
    assert "can't be read: the batch word" in capfd.readouterr().err


def truncated(path: Path) -> None:
    os.truncate(path, 12345)


def zeros(path: Path) -> None:
    path.write_bytes(bytes(file_bytes(2)))
    os.utime(path, (1, 1))


def noise(path: Path) -> None:
    path.write_bytes(os.urandom(300_000))
    os.utime(path, (1, 1))


def empty(path: Path) -> None:
    path.write_bytes(b"")
    os.utime(path, (1, 1))


def of_the_future(path: Path) -> None:
    """Written before the clock was set back."""
    path.write_bytes(b"")
    os.utime(path, (time.time() + 3600, time.time() + 3600))


@pytest.mark.parametrize("spoil", [truncated, zeros, noise, empty, of_the_future])
def test_a_file_that_is_no_recorder_is_set_aside(
    tmp_path: Path, deaths: Deaths, spoil: Callable[[Path], None], capfd: pytest.CaptureFixture[str]
) -> None:
    master = OldMaster(tmp_path, sleeps)
    master.kill()
    until(lambda: not running(master.workers[0]))
    spoil(tmp_path / f"recorder-{OLD}")
    assert inherit(tmp_path, OWN, deaths) == 0
    assert [path.name for path in tmp_path.glob("recorder-*")] == [f"recorder-{OLD}.garbled"]
    assert "set aside" in capfd.readouterr().err
    assert inherit(tmp_path, OWN, deaths) == 0


def test_a_file_that_is_just_being_made_and_our_own_are_left_alone(tmp_path: Path, deaths: Deaths) -> None:
    (tmp_path / "recorder-00000000000000ee").write_bytes(b"")
    own = seats.create(tmp_path, OWN, 1)
    assert inherit(tmp_path, OWN, deaths) == 0
    assert len(list(tmp_path.glob("recorder-*"))) == 2
    pid = os.fork()
    if pid == 0:  # our own lock still holds
        os._exit(int(shared_memory.lock_byte(os.open(own.path, os.O_RDWR), 0, wait=False)))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_with_no_room_in_the_spool_the_file_stays(tmp_path: Path) -> None:
    master = OldMaster(tmp_path, works)
    master.kill()
    (tmp_path / "spool").write_text("no directory")
    deaths = Deaths(tmp_path / "spool")
    deaths.load()
    assert inherit(tmp_path, OWN, deaths) == 1
    assert (tmp_path / f"recorder-{OLD}").exists()
