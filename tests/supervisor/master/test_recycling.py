"""recycling.py by tables; turnover on a master with its workers: nobody is missing meanwhile."""

import os
import signal
from pathlib import Path

import pytest

from gangerd.master.recycling import SPREAD, Life, Limits, Reason, choose, due
from support.masters import gone, master
from support.turnover import one_by_one
from support.waiting import until

FIRST, LAST = "0000000000000000", f"{999:016x}"
MS = 1_000_000


def life(who: str = FIRST, jobs: int = 0, left: int = 0, age_ms: int = 0, running_ms: int = 0) -> Life:
    return Life(who, jobs, left, age_ms * MS, running_ms * MS)


ALL = Limits(jobs=100, memory_bytes=50, age_ms=1000)
DUE = [
    (life(), ALL, None),
    (life(jobs=10**6, left=10**6, age_ms=10**6), Limits(), None),
    (life(jobs=99), ALL, None),
    (life(jobs=100), ALL, Reason.JOBS),
    (life(LAST, jobs=90), ALL, None),
    (life(LAST, jobs=91), ALL, Reason.JOBS),
    (life(left=50), ALL, None),
    (life(left=51), ALL, Reason.MEMORY),
    (life(LAST, left=50), ALL, None),
    (life(age_ms=999), ALL, None),
    (life(age_ms=1000), ALL, Reason.AGE),
    (life(LAST, age_ms=901), ALL, Reason.AGE),
    (life(jobs=100, left=51, age_ms=1000), ALL, Reason.JOBS),
    (life(jobs=0), Limits(jobs=1), None),
    (life(LAST, jobs=1), Limits(jobs=1), Reason.JOBS),
]


@pytest.mark.parametrize(("one", "limits", "reason"), DUE)
def test_who_is_due_and_why(one: Life, limits: Limits, reason: Reason | None) -> None:
    assert due(one, limits) is reason


def test_workers_of_one_hour_are_due_at_different_times() -> None:
    shares = {
        next(n for n in range(10_000) if due(life(f"{seed:016x}", jobs=n), Limits(jobs=9_999)))
        for seed in range(0, 1000, 100)
    }
    assert len(shares) == 10 and min(shares) >= 9_999 * (1 - SPREAD)


def test_an_idle_one_goes_before_one_that_works_and_a_young_run_before_an_old_one() -> None:
    young, idle = life("01", jobs=1, running_ms=5), life("02", jobs=1)
    old, fresh = life("03", jobs=1, running_ms=900), life("04")
    limits = Limits(jobs=1)
    assert choose([old, young, idle, fresh], limits) == (idle, Reason.JOBS)
    assert choose([old, young, fresh], limits) == (young, Reason.JOBS)
    assert choose([fresh], limits) is None and choose([], limits) is None


def test_after_its_jobs_a_worker_leaves_while_another_takes_its_place(tmp_path: Path) -> None:
    with master(tmp_path, recycle_jobs=1) as running:
        running.await_log("master.serving")
        busy, idle = running.start_job(0), running.worker(1)
        (said,) = running.await_log("worker.recycled")
        assert (said["child"], said["reason"], said["jobs"]) == (busy, "jobs", 1)
        assert not gone(busy) and not running.log("worker.left")  # its job goes on
        os.kill(busy, signal.SIGUSR2)
        running.await_log("worker.left")
        assert running.worker(2) not in (busy, idle)
        running.signal(signal.SIGTERM)
        assert running.wait() == 0
        assert len(running.log("worker.recycled")) == 1 and not running.told()


def test_the_place_of_one_that_takes_long_to_leave_is_taken_at_once(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mode").write_text("lingers")
    with master(tmp_path, workers=1, recycle_jobs=1) as running:
        lingers = running.start_job(0)
        running.await_log("worker.recycled")
        os.kill(lingers, signal.SIGUSR2)
        running.worker(1)
        assert not gone(lingers) and not running.log("worker.left")
        os.kill(lingers, signal.SIGUSR1)
        running.await_log("worker.left")


def test_age_replaces_all_one_after_the_other_and_none_is_missing(tmp_path: Path) -> None:
    with master(tmp_path, recycle_age_ms=300) as running:
        running.await_log("worker.left", 4)
        assert {line["reason"] for line in running.log("worker.recycled")} == {"age"}
        assert one_by_one(running.log())
        running.signal(signal.SIGTSTP)  # who is told to rest is not replaced
        until(lambda: running.status()["quiet"], "it rests")
        asked = len(running.log("worker.recycled"))
        running.signal(signal.SIGTERM)
        assert running.wait() == 0
        assert len(running.log("worker.recycled")) == asked and not running.told()
