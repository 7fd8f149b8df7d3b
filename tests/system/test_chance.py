"""Deaths at moments that nobody chose: whatever a worker was doing, each job's runs are accounted for."""

import time
from random import Random

from support import incident_app as app
from support.checker import counters_balance, none_lost
from support.gang import end
from support.load import Load
from support.scene import Scene
from support.waiting import until

KILLS = 25


def test_workers_killed_at_random_moments_lose_nothing_and_double_nothing(scene: Scene) -> None:
    rng, killed = Random(11), set[int]()
    gang = scene.gang(workers=3)
    with Load(scene, rate_per_s=150, work_ms=1) as load:
        load.await_ended(50)
        bulk = scene.push_many(app.healthy, [(number, 1) for number in range(3000)])
        for _ in range(KILLS):
            until(lambda: bool(set(gang.workers()) - killed), "a worker to kill", 30)
            victim = rng.choice(sorted(set(gang.workers()) - killed))
            killed.add(victim)
            end(victim)
            time.sleep(rng.random() * 0.1)  # the moment is the point
    scene.await_all_done(60)
    until(lambda: len(gang.log("worker.died")) == KILLS, "every burial")
    inside = [line for line in gang.log("worker.died") if line["jid"]]
    until(lambda: len(scene.crashes()) == len(inside), "every post-mortem")
    died: dict[str, int] = {}
    for crash in scene.crashes():
        assert crash["cause"] == "killed"
        died[crash["jid"]] = died.get(crash["jid"], 0) + 1
    jids = [*load.pushed, *bulk]
    twice = none_lost(scene, jids)
    print(f"{KILLS} kills, {len(inside)} inside jobs, {len(twice)} of {len(jids)} jobs ran again")
    print(load.waits())
    # A job was tried once, and once more for each worker that died with it: for no other reason. (One that
    # died between its start and the handler's first line is tried again and begins once.)
    runs = scene.journal.runs()
    assert {jid: tried - 1 for jid in jids if (tried := runs[jid].begun[-1][0]) > 1} == died
    assert all(len(again.begun) <= 1 + died[jid] for jid, again in twice.items())
    counters_balance(scene)
    assert scene.totals()["lost"] == 0
    assert gang.drain() == 0


def test_a_server_that_hangs_for_a_while_loses_nothing_and_doubles_nothing(scene: Scene) -> None:
    gang = scene.gang(workers=3)
    servers = scene.servers
    with Load(scene, rate_per_s=100) as load:
        load.await_ended(100)
        servers.pause(0)
        try:
            gang.await_log("redis.down")
        finally:
            servers.resume(0)
        servers.wait_ready()
        load.await_ended(100, within_s=40)
    scene.await_all_done()
    print(
        load.waits(), f"refused {load.refused}, repeated {load.repeated}, slowest {load.slowest_push_s:.2f} s"
    )
    assert none_lost(scene, load.pushed) == {}
    counters_balance(scene)
    assert scene.totals()["lost"] == 0
    assert gang.drain() == 0
