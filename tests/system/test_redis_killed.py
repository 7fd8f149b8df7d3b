"""The servers die under load and come back from their append-only files."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ganger.keys import partitions
from support import incident_app as app
from support.checker import counters_balance, none_lost
from support.load import Load
from support.scene import Scene
from support.servers import ClusterServers
from support.waiting import until

DURABLE = ("--appendonly", "yes", "--appendfsync", "always")


@pytest.fixture(params=[("valkey", 1), ("redis", 3)], ids=lambda each: f"{each[0]}-{each[1]}")
def durable(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
    binary, primaries = request.param
    try:
        servers = ClusterServers(binary, primaries=primaries, password="open sesame", options=DURABLE)
    except FileNotFoundError as error:
        pytest.skip(str(error))
    with servers:
        scene = Scene(servers, tmp_path)
        yield scene
        scene.close()


def test_a_killed_server_comes_back_and_everything_resumes(durable: Scene) -> None:
    scene = durable
    gang = scene.gang(workers=3)
    gate = scene.root / "gate"
    with Load(scene, rate_per_s=100) as load:
        load.await_ended(100)
        running = scene.push(app.first_at_gate, str(gate), 0)
        scene.await_begin(running)
        hanging = scene.push(app.segfaults)
        for index in range(len(scene.servers.nodes)):
            scene.servers.kill(index)
        gang.await_log("redis.down")
        gate.touch()  # it ends while there is nobody to tell
        scene.await_end(running)
        assert gang.status()["state"] == "serving"
        for node in scene.servers.nodes:
            node.start()
        scene.servers.wait_ready()
        load.await_ended(200, within_s=40)
    scene.await_all_done(40)
    print(
        load.waits(), f"refused {load.refused}, repeated {load.repeated}, slowest {load.slowest_push_s:.2f} s"
    )
    twice = none_lost(scene, [*load.pushed, running])
    assert twice == {}
    assert len(scene.crashes(hanging)) == 2
    counters_balance(scene)
    assert {line["signal"] for line in gang.log("worker.died")} == {11}
    assert gang.drain() == 0


def test_one_dead_primary_of_three_holds_up_its_own_partitions_only(tmp_path: Path) -> None:
    with ClusterServers(
        "valkey", primaries=3, options=(*DURABLE, "--cluster-require-full-coverage", "no")
    ) as own:
        scene = Scene(own, tmp_path / "own")
        try:
            gang = scene.gang(workers=2)
            first = scene.push_healthy(10)
            for jid in first:
                scene.await_end(jid)
            own.kill(0)
            with Load(scene, rate_per_s=50) as load:
                load.await_ended(30, within_s=40)
                own.nodes[0].start()
                own.wait_ready()
                places = [
                    place for place in partitions("ganger", app.QUEUE, 12) if own.index_of(place.slot) == 0
                ]
                until(lambda: scene.status()["queues"][app.QUEUE]["unreachable"] == 0, "all partitions")
                load.await_ended(30)
            scene.await_all_done()
            print(load.waits(), f"refused {load.refused}, slowest push {load.slowest_push_s:.2f} s")
            assert places and none_lost(scene, load.pushed) == {}
            assert gang.drain() == 0
        finally:
            scene.close()
