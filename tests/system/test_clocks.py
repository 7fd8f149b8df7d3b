"""Hosts whose time of day is wrong, and jumps by an hour while they work: only who reads it notices."""

import time
from pathlib import Path

import pytest

from support import clock_app
from support import incident_app as app
from support.checker import counters_balance, none_lost, ran_exactly_once
from support.clocks import MISSING, Clock
from support.command import document, ganger
from support.crons import forget_ticks
from support.gang import Gang
from support.journal import VARIABLE, Journal
from support.load import Load
from support.scene import Scene
from support.waiting import until

APP = "support.clock_app"
HOUR_S = 3600
pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)


def step(scene: Scene, clock: Clock, by_s: int) -> None:
    """Of a scene's one host, in whose hands a job is; returns when all of it has seen it."""
    clock.step(by_s)
    seen_s = time.monotonic() + 1.1  # each process looks once a second

    def shows() -> bool:
        """Since when a worker does what it does, by the host's clock."""
        since_ms = max(worker["since_ms"] for worker in scene.status()["workers"])
        return bool(abs(since_ms / 1000 - time.time() - by_s) < HOUR_S / 4)

    until(lambda: time.monotonic() > seen_s and shows(), f"a clock that is {by_s} s ahead")


def pushed_with_its_clock(scene: Scene) -> list[str]:
    """The host is a producer too: what a job of it has pushed, for now and for a second later."""
    jids: list[str] = scene.client.result(scene.push(clock_app.passes_on), wait=20)
    return jids


def test_a_host_s_clock_jumps_by_an_hour_and_back_under_load(scene: Scene) -> None:
    clock = Clock(scene.root / "clock")
    scene.env |= clock.environment
    gang = scene.gang(app=APP, workers=2)
    gang.await_log("cron.begun")
    gate, once, delayed = scene.root / "gate", [], {}
    running = scene.push(app.first_at_gate, str(gate), 0)
    scene.await_begin(running)
    with Load(scene, rate_per_s=50) as load:
        for number, by_s in enumerate((HOUR_S, 0, -HOUR_S), 1):
            step(scene, clock, by_s)
            forget_ticks(scene.cluster)
            until(lambda: len(gang.log("cron.fired")) == number, f"tick {number}")  # noqa: B023
            at_ns = time.monotonic_ns()
            delayed[scene.push(app.healthy, 0, delay=1)] = at_ns
            again = scene.push(app.exits_at_first)
            once += pushed_with_its_clock(scene)
            scene.await_end(again)  # its backoff is over, its worker replaced
            load.await_ended(20)
    for jid in once:
        scene.await_end(jid)
    assert scene.journal.ended(running) == 0, "it has run across three jumps"
    gate.touch()
    scene.await_all_done()
    assert gang.drain() == 0
    ran_exactly_once(scene, [running, *load.pushed, *delayed, *once])
    runs = scene.journal.runs()
    early_ns = [at_ns + 10**9 - runs[jid].begun[0][2] for jid, at_ns in delayed.items()]
    assert max(early_ns) <= 10**6, "due times are whole milliseconds"
    assert max(load.waits_s()) < HOUR_S / 60
    assert len(gang.log("cron.fired")) == 3
    assert len(gang.log("role.started")) == 3 and not gang.log("lease.judged")
    assert [crash["cause"] for crash in scene.crashes()] == ["exit"] * 3
    totals = scene.totals()
    assert (totals["expired"], totals["lost"]) == (0, 0)
    counters_balance(scene)


def test_the_jobs_of_a_dead_host_come_back_in_time_whatever_the_judge_s_clock(scene: Scene) -> None:
    """The dead host's clock was an hour behind, the judge's is an hour ahead and jumps back meanwhile."""
    leases = {"lease_ms": 3000, "renew_ms": 1000}
    clock, other = Clock(scene.root / "clock"), Clock(scene.root / "other")
    clock.step(HOUR_S)
    other.step(-HOUR_S)
    scene.env |= clock.environment
    judge = scene.gang("judge", workers=1, settings=leases)
    judge.await_log("leader.won")
    gate = scene.root / "gate"
    mine = scene.push(app.first_at_gate, str(gate), 0)
    scene.await_begin(mine)
    scene.env |= other.environment
    lost = scene.gang("lost", workers=1, settings=leases)
    theirs = scene.push(app.at_gate, str(gate))
    scene.await_begin(theirs)
    clock.step(0)
    lost.crash()
    until(lambda: bool(judge.log("lease.judged")), "the lost lease", 20)
    gate.touch()
    scene.await_all_done()
    assert list(none_lost(scene, [mine, theirs])) == [theirs]
    assert judge.drain() == 0
    counters_balance(scene)


def test_what_died_while_the_clock_of_the_servers_was_ahead_is_not_in_force_until_it_is_there_again(
    tmp_path: Path,
) -> None:
    """Embedded servers have the host's clock."""
    clock, journal = Clock(tmp_path / "clock"), Journal(tmp_path / "journal")
    clock.step(HOUR_S)
    env = {VARIABLE: str(journal.directory), **clock.environment}
    gang = Gang(tmp_path / "host", env, workers=1, settings={"embedded": True}, app=APP).serving()
    try:
        gang.await_log("leader.won")
        gang.crash()
        clock.step(0)
        gang.start()
        gang.serving()
        gang.await_log("leader.won")
        pushed = ganger("push", app.healthy.name, "[1]", "--delay", "1", cwd=gang.root, env=env)
        assert pushed.returncode == 0, pushed.stderr
        jid = pushed.stdout.split()[-1]
        until(lambda: journal.ended(jid) == 1, "a job that waits for its time", 20)
        shown = document("workers", cwd=gang.root, env=env)
        assert {worker["pid"] for worker in shown} & set(gang.pids())
        assert gang.drain() == 0
    finally:
        gang.close()
