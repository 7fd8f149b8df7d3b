"""Each cause of a failed attempt, from a real death to what `ganger crashes` and `ganger job show` tell.

One host meets them all, one after the other."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from support import incident_app as app
from support.scene import Scene
from support.waiting import until


def _crashes_of(scene: Scene, job: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Push one that is tried twice; its post-mortems and its dead letter."""
    jid = scene.push(job)
    letter = scene.await_dead(jid)
    crashes = scene.await_crash(jid, 2)
    assert [crash["attempt"] for crash in crashes] == [1, 2]
    assert [crash["type"] for crash in crashes] == [job.name] * 2
    assert (letter["attempt"], letter["crashes"]) == (2, 2)
    return crashes, letter


@pytest.mark.parametrize(
    ("job", "cause", "number"),
    [
        (app.segfaults, "segfault", signal.SIGSEGV),
        (app.aborts, "abort", signal.SIGABRT),
        (app.hits_bus_error, "bus_error", signal.SIGBUS),
        (app.runs_no_instruction, "illegal_instruction", signal.SIGILL),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_deadly_signal_is_told_by_its_name_and_with_the_python_stack(
    host_scene: Scene, job: Any, cause: str, number: int
) -> None:
    crashes, letter = _crashes_of(host_scene, job)
    for crash, failure in zip(crashes, letter["failures"], strict=True):
        assert (crash["cause"], crash["signal"], crash["exit_code"]) == (cause, number, None)
        assert f"in {job.function.__name__}" in crash["stack"]
        assert (failure["cause"], failure["worker"]) == (cause, crash["worker"])
        assert f"in {job.function.__name__}" in failure["stack"]


@pytest.mark.parametrize("job", [app.hangs_in_c, app.spins_in_c], ids=lambda job: str(job.function.__name__))
def test_a_hang_in_c_is_ended_at_its_hard_timeout_with_the_stack_of_the_hang(
    host_scene: Scene, job: Any
) -> None:
    crashes, letter = _crashes_of(host_scene, job)
    for crash in crashes:
        assert (crash["cause"], crash["signal"]) == ("timeout", signal.SIGKILL)
        assert f"in {job.function.__name__}" in crash["stack"]
        assert 600 <= crash["ran_ms"] < 2500
        assert "hard deadline" in crash["evidence"][0]
    assert [failure["cause"] for failure in letter["failures"]] == ["timeout", "timeout"]


def test_a_kill_by_an_unknown_hand_is_called_killed_and_crash_limit_ends_it(host_scene: Scene) -> None:
    jid = host_scene.push(app.kills_itself)
    letter = host_scene.await_dead(jid)
    crashes = host_scene.await_crash(jid, 2)
    assert [(crash["cause"], crash["signal"]) for crash in crashes] == [("killed", signal.SIGKILL)] * 2
    assert letter["crashes"] == 2 and host_scene.journal.begun(jid) == 2


def test_os_exit_inside_a_job_is_called_exit_and_the_retry_succeeds(host_scene: Scene) -> None:
    jid = host_scene.push(app.exits_at_first)
    host_scene.await_end(jid)
    (crash,) = host_scene.await_crash(jid)
    assert (crash["cause"], crash["exit_code"], crash["signal"]) == ("exit", 3, None)
    host_scene.await_gone(jid)
    assert [attempt for attempt, _, _ in host_scene.journal.runs()[jid].begun] == [1, 2]


def test_growth_past_memory_of_its_type_ends_by_the_fence_in_force(host_scene: Scene) -> None:
    crashes, _ = _crashes_of(host_scene, app.leaks_slowly)
    cause = "memory_limit" if host_scene.gangs[0].status()["fence"] == "rss" else "oom_kill"
    for crash in crashes:
        assert (crash["cause"], crash["signal"]) == (cause, signal.SIGKILL)
        assert crash["peak_rss_bytes"] > 48 << 20


@pytest.mark.parametrize("job", [app.raises, app.calls_sys_exit], ids=lambda job: str(job.function.__name__))
def test_an_exception_is_retried_and_then_gone_and_its_worker_lives_on(host_scene: Scene, job: Any) -> None:
    before, workers = host_scene.totals(), host_scene.gangs[0].await_workers(2)
    jid = host_scene.push(job)
    host_scene.await_begin(jid, 2)
    host_scene.await_gone(jid)
    after = host_scene.totals()
    assert [after[name] - before[name] for name in ("failed", "retried", "exhausted", "dead")] == [2, 1, 1, 0]
    assert host_scene.crashes(jid) == []
    assert host_scene.gangs[0].workers() == workers


@pytest.mark.parametrize(
    "job", [app.too_slow, app.too_slow_async], ids=lambda job: str(job.function.__name__)
)
def test_a_soft_timeout_is_an_attempt_but_no_crash(host_scene: Scene, job: Any) -> None:
    workers = host_scene.gangs[0].await_workers(2)
    jid = host_scene.push(job)
    until(lambda: (host_scene.job(jid) or {}).get("state") == "retrying", "the retry", 20)
    shown = host_scene.command("job", "show", jid)
    assert [failure["cause"] for failure in shown["failures"]] == ["timeout"]
    assert shown["failures"][0]["error"] == "JobTimeout"
    assert 500 <= shown["failures"][0]["ran_ms"] < 3000
    host_scene.await_gone(jid)
    assert host_scene.crashes(jid) == []
    assert host_scene.gangs[0].workers() == workers


def test_a_worker_that_dies_while_idle_costs_no_job_anything(host_scene: Scene) -> None:
    gang = host_scene.gangs[0]
    victim = gang.await_workers(2)[0]
    # What it ran last is gone from Redis a moment before it has left its page.
    until(lambda: b"idle" in Path(f"/proc/{victim}/cmdline").read_bytes(), "it idles")
    before = host_scene.totals()
    os.kill(victim, signal.SIGKILL)
    until(lambda: victim in {line["child"] for line in gang.log("worker.died")}, "its burial")
    gang.await_workers(2)
    assert host_scene.totals() == before
    jid = host_scene.push(app.healthy, 1)
    host_scene.await_end(jid)


def test_the_list_of_crashes_has_its_public_fields(host_scene: Scene) -> None:
    jid = host_scene.push(app.segfaults)
    host_scene.await_dead(jid)
    found = host_scene.command("crashes", "--limit", "2")
    assert [crash["jid"] for crash in found] == [jid, jid]
    public = "jid type queue attempt cause signal exit_code worker pid host generation at_ms ran_ms"
    assert set(f"{public} peak_rss_bytes stack evidence".split()) <= set(found[0])
    assert (found[0]["host"], found[0]["queue"]) == ("host", app.QUEUE)
