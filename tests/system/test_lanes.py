"""Limits on a job type and by key: they hold over two hosts and the death of workers, and hold up nobody
else."""

import os
import signal
import time
from collections import defaultdict
from typing import Any

from support import incident_app as app
from support.gang import Gang, alive
from support.scene import Scene
from support.throttles import ThrottleServers
from support.waiting import until

HEALTHY = app.healthy.name
SAID = (
    "It waits in its lane for its turn under the limit gate, at most 1 at once of type"
    f" {app.at_gate.name} for each args.gate."
)


def overlaps(scene: Scene, of: dict[str, int], killed: dict[int, int]) -> dict[int, int]:
    """The most runs at one moment, by what `of` says of each job; a kill ends what its victim ran."""
    changes: list[tuple[int, int, int]] = []
    inside: dict[int, int] = {}
    for line in scene.journal.lines():
        if (group := of.get(line["jid"])) is None:
            continue
        if line["what"] == "begin":
            inside[line["pid"]] = group
        else:
            inside.pop(line["pid"], None)
        changes.append((line["at_ns"], group, 1 if line["what"] == "begin" else -1))
    changes += [(killed[pid], group, -1) for pid, group in inside.items() if pid in killed]
    now: dict[int, int] = defaultdict(int)
    most: dict[int, int] = defaultdict(int)
    for _, group, change in sorted(changes):
        now[group] += change
        most[group] = max(most[group], now[group])
    return dict(most)


def hosts(scene: Scene, servers: ThrottleServers, settings: dict[str, Any]) -> list[Gang]:
    settings = {"semaphores": servers.urls, **settings}
    return [scene.gang(name, workers=3, settings=settings) for name in ("one", "two")]


def test_a_full_key_waits_aside_while_others_go_on_and_its_permits_outlive_no_worker(scene: Scene) -> None:
    with ThrottleServers() as servers:
        limit = {"queue": app.QUEUE, "limit_key": "args.number", "concurrency": 2}
        gangs = hosts(scene, servers, {f"limits.tenant.{name}": value for name, value in limit.items()})
        # One tenant has pushed a lot, before all others.
        big = scene.push_many(app.healthy, [(0, 120)] * 30)
        small = scene.push_many(app.healthy, [(number, 20) for number in (1, 2, 3) for _ in range(4)])
        of = dict.fromkeys(big, 0) | {jid: 1 + place // 4 for place, jid in enumerate(small)}
        until(lambda: len(running(scene)) > 1, "two of the big one's run")
        victim = running(scene)[0]
        killed = {victim: time.monotonic_ns()}
        os.kill(victim, signal.SIGKILL)
        for jid in small:
            scene.await_end(jid)
        assert scene.left() > 10  # the big one's jobs, of which two run at a time
        scene.await_all_done()
        most = overlaps(scene, of, killed)
        assert most[0] == 2 and all(count <= 2 for count in most.values())
        runs = scene.journal.runs()
        assert {len(runs[jid].ended) for jid in of} == {1}
        rows = scene.command("limits")["limits"]
        assert [(row["name"], row["limit_key"], row["concurrency"]) for row in rows] == [
            ("tenant", "args.number", 2)
        ]
        for gang in gangs:
            assert gang.drain() == 0


def test_a_limit_on_a_type_holds_in_every_queue_and_leaves_other_types_alone(scene: Scene) -> None:
    opened = scene.root / "opened"
    opened.touch()
    with ThrottleServers() as servers:
        limit = {"limits.api.type": HEALTHY, "limits.api.concurrency": 1}
        gangs = hosts(scene, servers, {"queues": [app.QUEUE, "other"], **limit})
        limited = scene.push_many(app.healthy, [(number, 30) for number in range(8)])
        limited += scene.push_many(app.healthy, [(number, 30) for number in range(8)], queue="other")
        free = scene.push_many(app.at_gate, [(str(opened),)] * 8)
        of = dict.fromkeys(limited, 0)
        for jid in free:
            scene.await_end(jid)
        scene.await_all_done()
        assert overlaps(scene, of, {}) == {0: 1}
        for gang in gangs:
            assert gang.drain() == 0


def test_a_limit_by_key_that_is_set_and_lifted_while_jobs_wait(scene: Scene) -> None:
    closed = scene.root / "closed"
    with ThrottleServers() as servers:
        gang = scene.gang("one", workers=3, settings={"semaphores": servers.urls})
        by_gate = ("--type", app.at_gate.name, "--limit-key", "args.gate", "--concurrency", "1")
        scene.command("limits", "set", "gate", *by_gate)
        gang.await_log("limits.changed")
        held = scene.push_many(app.at_gate, [(str(closed),)] * 4)
        until(lambda: sum(scene.journal.begun(jid) for jid in held) == 1, "one runs")
        waiting = next(jid for jid in held if not scene.journal.begun(jid))
        until(lambda: reasons(scene, waiting).get("throttled", "") == SAID, "it says why it waits")
        # Others have room to run beside it.
        for jid in scene.push_many(app.healthy, [(number, 0) for number in range(9)]):
            scene.await_end(jid)
        assert sum(scene.journal.begun(jid) for jid in held) == 1
        scene.command("limits", "set", "gate", "--off")
        until(lambda: sum(scene.journal.begun(jid) for jid in held) == 3, "nothing holds them up", 30.0)
        closed.touch()
        scene.await_all_done()
        assert gang.drain() == 0


def test_another_argument_is_chosen_while_jobs_wait(scene: Scene) -> None:
    closed = scene.root / "closed"
    with ThrottleServers() as servers:
        gang = scene.gang("one", workers=3, settings={"semaphores": servers.urls})
        by = ("--type", app.at_gate.name, "--concurrency", "1", "--limit-key")
        scene.command("limits", "set", "gate", *by, "args.gate")
        gang.await_log("limits.changed")
        held = scene.push_many(app.at_gate, [(str(closed),)] * 5)
        until(lambda: sum(scene.journal.begun(jid) for jid in held) == 1, "one runs")
        # The same value, but by another name: to the host it is another key, so one more may run.
        scene.command("limits", "set", "gate", *by, "args.0")
        until(lambda: sum(scene.journal.begun(jid) for jid in held) == 2, "one runs by the new one", 30.0)
        for jid in scene.push_many(app.healthy, [(number, 0) for number in range(9)]):
            scene.await_end(jid)
        assert sum(scene.journal.begun(jid) for jid in held) == 2
        closed.touch()
        scene.await_all_done()
        assert overlaps(scene, dict.fromkeys(held, 0), {}) == {0: 2}
        assert gang.drain() == 0


def reasons(scene: Scene, jid: str) -> dict[str, str]:
    return {reason["code"]: reason["text"] for reason in scene.command("why", jid)["reasons"]}


def running(scene: Scene) -> list[int]:
    """Pids in the middle of a run."""
    inside: dict[int, bool] = {}
    for line in scene.journal.lines():
        inside[line["pid"]] = line["what"] == "begin"
    return [pid for pid, runs in inside.items() if runs and alive(pid)]
