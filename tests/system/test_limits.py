"""A limit on a queue holds while workers are killed and servers are away, and its places are free at once."""

import os
import random
import signal
import time
from typing import Any

from support import incident_app as app
from support.command import document
from support.gang import alive, end
from support.scene import Scene
from support.throttles import ThrottleServers
from support.waiting import until

LIMIT, WORKERS, JOBS, KILLS = 3, 8, 150, 6


def test_never_more_than_the_limit_run_while_workers_are_killed_at_random(scene: Scene) -> None:
    rng = random.Random(4)
    with ThrottleServers() as servers:
        host = scene.gang(
            workers=WORKERS,
            settings={
                "semaphores": servers.urls,
                "limits.mail.queue": app.QUEUE,
                "limits.mail.concurrency": LIMIT,
            },
        )
        scene.push_healthy(JOBS, 60)
        killed: dict[int, int] = {}
        until(lambda: bool(running(scene, killed)), "the first job runs")
        coordinator = host.role("coordinator")
        while len(killed) < KILLS:
            until(lambda: len(running(scene, killed)) == LIMIT, "the whole limit is used", 20.0)
            victim = rng.choice(running(scene, killed) or [0])
            if victim and alive(victim):
                os.kill(victim, signal.SIGKILL)
                killed[victim] = time.monotonic_ns()
            if len(killed) == KILLS // 2 and host.role("coordinator") == coordinator:
                # Its successor finds the passes in shared memory, and which of them are a dead worker's.
                end(coordinator)
                coordinator = 0
        scene.await_all_done()
        most, gaps = overlap(scene, killed), recovery_ms(scene, killed)
        print(f"back at the limit after a kill: {[round(gap) for gap in gaps]} ms")
        assert most == LIMIT
        # The host's own settings name the servers that know.
        (row,) = document("limits", cwd=host.root, env=scene.env)["limits"]
        assert (row["concurrency"], row["holders"]) == (LIMIT, [])
        assert host.drain() == 0


def test_without_a_quorum_a_limited_queue_stands_still_and_others_go_on(scene: Scene) -> None:
    opened, closed = scene.root / "opened", scene.root / "closed"
    opened.touch()
    settings = {"queues": [app.QUEUE, "other"], "limits.mail.queue": app.QUEUE, "limits.mail.concurrency": 2}
    with ThrottleServers() as servers:
        host = scene.gang(workers=2, settings={"semaphores": servers.urls, **settings})
        cut = scene.push(app.at_gate, str(closed))
        scene.await_begin(cut)
        for each in servers.all[:2]:
            each.server.signal(signal.SIGSTOP)
        # Its permit can't be renewed: in ten seconds it may be another's, so the run is ended, not the job.
        host.await_log("worker.died")
        assert host.log("worker.died")[0]["cause"] == "permit_lost"
        host.await_log("limits.stand_still")
        waiting = scene.push_healthy(5)
        passing = scene.push_many(app.at_gate, [(str(opened),)] * 20, queue="other")
        for jid in passing:
            scene.await_end(jid)
        assert sum(scene.journal.begun(jid) for jid in waiting) == 0
        told: list[dict[str, Any]] = []

        def standing() -> bool:
            told[:] = scene.command("status")["standing"]
            return bool(told)

        until(standing, "the status says so with one of the next heartbeats", 20.0)
        assert [(each["queue"], each["state"]) for each in told] == [(app.QUEUE, "quorum lost")]
        assert "throttled" in [one["code"] for one in scene.command("why", waiting[0])["reasons"]]
        for each in servers.all[:2]:
            each.server.signal(signal.SIGCONT)
        closed.touch()
        scene.await_all_done()
        # Begun twice, and no attempt used.
        assert [attempt for attempt, _, _ in scene.journal.runs()[cut].begun] == [1, 1]
        host.await_log("limits.back")
        assert host.drain() == 0


def running(scene: Scene, killed: dict[int, int]) -> list[int]:
    """Pids in the middle of a run."""
    inside: dict[int, bool] = {}
    for line in scene.journal.lines():
        inside[line["pid"]] = line["what"] == "begin"
    return [pid for pid, runs in inside.items() if runs and pid not in killed]


def changes(scene: Scene, killed: dict[int, int]) -> list[tuple[int, int]]:
    """(instant, +1 or -1), from the handlers' own log; a kill ends what its victim ran."""
    found: list[tuple[int, int]] = []
    inside: set[int] = set()
    for line in scene.journal.lines():
        found.append((line["at_ns"], 1 if line["what"] == "begin" else -1))
        (inside.add if line["what"] == "begin" else inside.discard)(line["pid"])
    return sorted(found + [(killed[pid], -1) for pid in inside if pid in killed])


def overlap(scene: Scene, killed: dict[int, int]) -> int:
    now = most = 0
    for _, change in changes(scene, killed):
        now += change
        most = max(most, now)
    return most


def recovery_ms(scene: Scene, killed: dict[int, int]) -> list[float]:
    """From each kill to the next begin."""
    begun = [at for at, change in changes(scene, killed) if change > 0]
    return [(min(at for at in begun if at > end) - end) / 1e6 for end in killed.values() if end < begun[-1]]
