"""A rate holds over two hosts whose workers are killed, as the handlers tell, and is used; also by key."""

import os
import random
import signal
from bisect import bisect_left
from collections.abc import Set

from support import incident_app as app
from support.scene import Scene
from support.throttles import ThrottleServers
from support.waiting import until

COUNT, PERIOD_S, JOBS, KILLS = 20, 1.0, 60, 3
STALL_S = 0.05
"""A busy machine may hold a worker up between the last look at the clock and the handler's first line."""


def test_never_more_begin_than_the_rate_says_over_two_hosts(scene: Scene) -> None:
    rng = random.Random(4)
    with ThrottleServers() as servers:
        settings = {
            "semaphores": servers.urls,
            "limits.pace.queue": app.QUEUE,
            "limits.pace.rate": f"{COUNT}/{PERIOD_S}s",
        }
        hosts = [scene.gang(name, workers=4, settings=settings) for name in ("one", "other")]
        scene.push_healthy(JOBS, 30)
        killed: set[int] = set()
        while len(killed) < KILLS:
            until(lambda: len(starts(scene)) >= 12 * (len(killed) + 1), "it goes on", 20.0)
            running = [pid for pid, runs in inside(scene).items() if runs and pid not in killed]
            if running:
                victim = rng.choice(running)
                os.kill(victim, signal.SIGKILL)
                killed.add(victim)
        scene.await_all_done()
        begun = starts(scene)
        print(f"{len(begun) / (begun[-1] - begun[0]):.1f} a second")
        assert COUNT - 2 <= busiest(begun, PERIOD_S - STALL_S) <= COUNT
        pids = {line["pid"] for line in scene.journal.lines()}
        assert all(pids & set(host.workers()) for host in hosts), "both hosts had their part"
        assert [host.drain() for host in hosts] == [0, 0]


def test_a_rate_by_key_holds_for_each_by_itself(scene: Scene) -> None:
    with ThrottleServers() as servers:
        settings = {
            "semaphores": servers.urls,
            "limits.pace.type": app.healthy.name,
            "limits.pace.rate": "3/s",
            "limits.pace.limit_key": "args.number",
        }
        host = scene.gang("one", workers=2, settings=settings)
        keys = [scene.push_many(app.healthy, [(number, 0)] * 8) for number in range(3)]
        scene.await_all_done()
        for jids in keys:
            begun = starts(scene, set(jids))
            assert len(begun) == 8 and busiest(begun, 1 - STALL_S) <= 3
        # Each by itself: together more begin than one key may.
        assert busiest(starts(scene), 1.0) > 3
        assert host.drain() == 0


def starts(scene: Scene, jids: Set[str] | None = None) -> list[float]:
    lines = (line for line in scene.journal.lines() if line["what"] == "begin")
    return sorted(line["at_ns"] / 1e9 for line in lines if jids is None or line["jid"] in jids)


def inside(scene: Scene) -> dict[int, bool]:
    """Pids, and whether each is in the middle of a run."""
    return {line["pid"]: line["what"] == "begin" for line in scene.journal.lines()}


def busiest(begun: list[float], period_s: float) -> int:
    """The most within any such time."""
    return max(bisect_left(begun, at + period_s) - place for place, at in enumerate(begun))
