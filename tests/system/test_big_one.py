"""2,000 jobs, 120 of which end their worker in one of five ways, on four workers, at a rate that they could
serve without any of it. On three Valkey primaries; on the other servers a quarter of it."""

import time
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest

from support import incident_app as app
from support.checker import counters_balance, quantile, ran_exactly_once
from support.journal import Runs
from support.scene import Scene
from support.waiting import until

RATE_PER_S = 80
JOBS = 2000
CULPRITS: dict[Any, tuple[str, int]] = {
    app.segfaults: ("segfault", 40),
    app.leaks: ("oom_kill", 20),
    app.hangs_in_c: ("timeout", 20),
    app.exits_at_first: ("exit", 20),
    app.kills_itself: ("killed", 20),
}
RUNS_THAT_DIE = {"exit": 1}
"""Each dies at its first run and again at its retry, but for those that exit: their retry succeeds."""


@dataclass(slots=True)
class Pushed:
    healthy: dict[str, int] = field(default_factory=dict)
    """jid -> when its push began (monotonic ns)."""
    culprits: dict[str, str] = field(default_factory=dict)
    """jid -> the cause of death that it must have."""


def _arrive(scene: Scene, part: int) -> Pushed:
    """All of them (or one in `part`), shuffled, at a steady rate."""
    arrivals: list[Any] = [job for job, (_, count) in CULPRITS.items() for _ in range(count // part)]
    arrivals += [app.healthy] * (JOBS // part - len(arrivals))
    Random(7).shuffle(arrivals)
    pushed = Pushed()
    began_ns = time.monotonic_ns()
    for number, job in enumerate(arrivals):
        due_ns = began_ns + number * 1_000_000_000 // RATE_PER_S
        time.sleep(max(0, due_ns - time.monotonic_ns()) / 1e9)  # the rate, not a wait for anything
        now_ns = time.monotonic_ns()
        if job is app.healthy:
            pushed.healthy[scene.push(job, number)] = now_ns
        else:
            pushed.culprits[scene.push(job)] = CULPRITS[job][0]
    return pushed


@pytest.mark.oom
@pytest.mark.timeout(180)
def test_each_of_220_deaths_among_2000_jobs_is_laid_at_the_right_door(every_scene: Scene) -> None:
    scene = every_scene
    gang = scene.gang(workers=4, settings={"memory_max": "64M"})
    if gang.status()["fence"] == "rss":
        pytest.skip("no writable memory cgroup: " + gang.log("master.fence_chosen")[0]["explanation"])
    full = (scene.servers.binary, scene.servers.primaries) == ("valkey", 3)
    pushed = _arrive(scene, 1 if full else 4)
    deaths = Counter({cause: 0 for cause, _ in CULPRITS.values()})
    for cause in pushed.culprits.values():
        deaths[cause] += RUNS_THAT_DIE.get(cause, 2)
    scene.await_all_done()
    # A job's end is written before its post-mortem.
    until(lambda: len(scene.crashes()) >= sum(deaths.values()), "the last post-mortem")
    _every_death_is_the_right_jobs(scene, pushed, deaths)
    ran_exactly_once(scene, pushed.healthy)
    runs = scene.journal.runs()
    _every_culprit_ended_as_its_policy_says(scene, pushed, runs)
    waits_s = [(runs[jid].begun[0][2] - at_ns) / 1e9 for jid, at_ns in pushed.healthy.items()]
    middle, tail = quantile(waits_s, 0.5), quantile(waits_s, 0.99)
    print(f"waits: p50 {middle:.4f} p99 {tail:.4f} max {max(waits_s):.4f} s")
    assert max(waits_s) < 2.0
    counters_balance(scene)
    assert scene.totals()["crashes"] == deaths
    assert sum(deaths.values()) == (220 if full else 55)
    assert gang.drain() == 0


def _every_death_is_the_right_jobs(scene: Scene, pushed: Pushed, deaths: Counter[str]) -> None:
    crashes = scene.crashes()
    assert {crash["jid"] for crash in crashes} == set(pushed.culprits)
    wrong = [crash for crash in crashes if crash["cause"] != pushed.culprits[crash["jid"]]]
    assert not wrong, wrong[0]
    assert Counter(crash["cause"] for crash in crashes) == deaths
    assert all("in read_address_zero" in crash["stack"] for crash in crashes if crash["cause"] == "segfault")
    assert all("in hang_in_libc" in crash["stack"] for crash in crashes if crash["cause"] == "timeout")


def _every_culprit_ended_as_its_policy_says(scene: Scene, pushed: Pushed, runs: dict[str, Runs]) -> None:
    dead = scene.dead()
    for jid, cause in pushed.culprits.items():
        assert [attempt for attempt, _, _ in runs[jid].begun] == [1, 2], (cause, jid)
        if cause == "exit":
            assert len(runs[jid].ended) == 1 and jid not in dead
        else:
            assert [failure["cause"] for failure in dead[jid]["failures"]] == [cause] * 2
            assert dead[jid]["crashes"] == 2
    assert len(dead) == sum(cause != "exit" for cause in pushed.culprits.values())
