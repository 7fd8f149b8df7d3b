"""Each nemesis against servers does what its name says to a real cluster, and leaves it whole."""

import random
import signal
import socket
from typing import Any

import pytest

from chaos import ailments, clocks
from chaos.nemeses import clock, failover, refusals, semaphores, servers, slots
from chaos.nemesis import NotNow, Stage
from chaos.prober import Prober, pairs
from chaos.servers import JobServers, SemaphoreServers
from chaos.test_shards import fill, total
from support.waiting import until

RNG = random.Random(6)


class Notes(list[tuple[str, dict[str, Any]]]):
    def __call__(self, what: str, **detail: Any) -> None:
        self.append((what, detail))

    def first(self, what: str) -> dict[str, Any]:
        return next(detail for name, detail in self if name == what)


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def stage(job_servers: JobServers, notes: Notes) -> Stage:
    fill(job_servers)
    return Stage(job_servers, None, [], [], notes)


def trouble(stage: Stage, name: str, for_s: float = 0.0) -> servers.Trouble:
    found = next(one for one in servers.nemeses(stage) if one.name == name)
    assert isinstance(found, servers.Trouble)
    found.shortest_s = found.longest_s = for_s
    return found


def test_a_killed_primary_comes_back_as_the_replica_of_its_successor(stage: Stage, notes: Notes) -> None:
    nemesis = failover.KillPrimary(stage)
    nemesis.longest_s = 0.1
    nemesis.strike(RNG)

    dead, heir = notes.first("failed over")["node"], notes.first("failed over")["to"]
    assert stage.cluster.whole()
    assert stage.cluster.view()[dead].primary_id == heir
    assert total(stage.cluster) == 60


@pytest.mark.parametrize("way", failover.WAYS)
def test_a_shard_is_handed_over(stage: Stage, notes: Notes, way: str) -> None:
    failover.HandOver(stage).strike(RNG, way)

    told = notes.first("handed a shard over")
    assert stage.cluster.whole()
    assert stage.cluster.view()[told["node"]].primary_id == told["to"]
    assert (told["way"], total(stage.cluster)) == (way, 60)


def test_slots_move_while_their_keys_are_asked_for(stage: Stage, notes: Notes) -> None:
    with Prober(stage.cluster) as prober:
        slots.MoveSlots(stage, longest_pause_s=0.1).strike(RNG)

    told = notes.first("moved slots")
    assert {stage.cluster.owner(slot) for slot in told["slots"]} == {told["to"]}
    assert {"AskError", "TryAgainError"} & set(prober.errors)
    assert (notes.first("slots have moved")["keys"], total(stage.cluster)) == (2 * len(told["slots"]), 60)


def test_a_shard_comes_and_goes(stage: Stage, notes: Notes) -> None:
    before = set(stage.cluster.nodes)
    slots.AnotherShard(stage, stays_s=0.0).strike(RNG)

    assert notes.first("drained a shard")["node"] not in before
    assert (set(stage.cluster.nodes), total(stage.cluster)) == (before, 60)


def test_a_shard_that_was_added_and_not_drained_is_drained_by_healing(stage: Stage) -> None:
    nemesis, before = slots.AnotherShard(stage), set(stage.cluster.nodes)

    class Full(Exception):
        pass

    def stop(*_: object) -> float:
        raise Full

    rng = random.Random(1)
    rng.uniform = stop  # type: ignore[method-assign, assignment]
    with pytest.raises(Full):
        nemesis.strike(rng)
    assert len(stage.cluster.nodes) == 8
    nemesis.heal()

    assert (set(stage.cluster.nodes), total(stage.cluster)) == (before, 60)


def test_scripts_are_forgotten(stage: Stage) -> None:
    primaries = [stage.cluster.nodes[ident] for ident in stage.cluster.primaries()]
    shas = [one.call("SCRIPT LOAD", "return 1") for one in primaries]
    trouble(stage, "flush scripts").strike(RNG)
    assert [one.call("SCRIPT EXISTS", sha) for one, sha in zip(primaries, shas, strict=True)] == [[False]] * 3


def test_clients_are_dropped(stage: Stage, notes: Notes) -> None:
    lines = {}
    for ident in stage.cluster.primaries():
        server = stage.cluster.nodes[ident]
        lines[ident] = socket.create_connection((server.host, server.port), timeout=10)
        lines[ident].sendall(b"HELLO\r\n")
        assert lines[ident].recv(1000)
    trouble(stage, "kill clients").strike(RNG)
    assert lines[notes.first("kill clients")["node"]].recv(1000) == b""
    for line in lines.values():
        line.close()


@pytest.mark.parametrize("name", ["pause clients", "keep a node busy", "freeze a node", "slow a node"])
def test_a_node_answers_nobody_for_a_while(stage: Stage, name: str) -> None:
    with Prober(stage.cluster) as prober:
        trouble(stage, name, 0.6).strike(RNG)
    assert prober.longest_s > (0.1 if name == "slow a node" else 0.4)


@pytest.mark.parametrize(
    ("name", "error"),
    [("fill a node's memory", "OutOfMemoryError"), ("want more replicas", "ResponseError")],
)
def test_a_node_refuses_to_write_for_a_while(stage: Stage, name: str, error: str) -> None:
    with Prober(stage.cluster) as prober:
        trouble(stage, name, 0.4).strike(RNG)
    assert prober.errors[error] > 0
    fill(stage.cluster)  # it takes writes again


def test_a_replica_loses_its_link_and_finds_it_again(stage: Stage, notes: Notes) -> None:
    before = [one.client.info("stats")["sync_partial_ok"] for one in stage.cluster.nodes.values()]
    trouble(stage, "part a primary from its replica").strike(RNG)
    after = [one.client.info("stats")["sync_partial_ok"] for one in stage.cluster.nodes.values()]
    assert sum(after) - sum(before) == 1


def test_what_a_strike_left_behind_is_undone_by_healing(stage: Stage) -> None:
    victim, frozen, full = list(stage.cluster.nodes.values())[:3]
    full.call("CONFIG SET", "maxmemory", 1, "min-replicas-to-write", 5)
    frozen.signal(signal.SIGSTOP)
    victim.signal(signal.SIGKILL)
    trouble(stage, "freeze a node").heal()
    assert stage.cluster.whole()
    fill(stage.cluster)


def test_a_replica_dies_and_comes_back(stage: Stage, notes: Notes) -> None:
    runs = {ident: str(one.client.info("server")["run_id"]) for ident, one in stage.cluster.nodes.items()}
    nemesis = servers.KillReplica(stage)
    nemesis.longest_s = 0.1
    nemesis.strike(RNG)
    changed = {
        ident
        for ident, one in stage.cluster.nodes.items()
        if one.client.info("server")["run_id"] != runs[ident]
    }
    assert changed == {notes.first("killed a replica")["node"]}
    assert stage.cluster.whole()


@pytest.mark.parametrize("ailment", [ailments.torn, ailments.read_only, ailments.slow, ailments.no_memory])
def test_a_server_for_semaphores_ails_for_a_while(ailment: ailments.Ailment) -> None:
    with SemaphoreServers(count=1) as servers:
        [server] = servers.servers
        for number in range(9):
            server.call("SET", number, "x" * 1000)
        with ailments.ailing([server], ailment):
            pass
        server.call("SET", "more", "x")
        assert (server.client.dbsize() == 10) == (ailment is not ailments.torn)


def test_all_nodes_turn_everybody_away_for_a_while(stage: Stage, notes: Notes) -> None:
    for nemesis in refusals.nemeses(stage)[1:]:
        assert isinstance(nemesis, refusals.Refuse)
        nemesis.longest_s, nemesis.share = 0.2, 1.0
        nemesis.strike(RNG)
    assert len(notes) == 2 * 6
    assert stage.cluster.whole()


def test_a_replica_whose_disk_is_full_ends_and_comes_back(stage: Stage) -> None:
    cluster = stage.cluster
    primary = cluster.primaries()[0]
    [replica] = cluster.replicas(primary)
    [[key, _], *_] = pairs(cluster, primary)
    with ailments.ailing([cluster.nodes[replica]], ailments.no_disk):

        def ended() -> bool:
            cluster.nodes[primary].call("SET", key, "what can't be written down")
            return replica not in cluster.running()

        until(ended, "its end")
    cluster.wait_whole()


@pytest.mark.parametrize(
    ("name", "errors"),
    [
        ("fill a disk", ["ResponseError"]),
        ("refuse connections", ["ResponseError", "ConnectionError"]),
        ("change the password", ["AuthenticationError"]),
    ],
)
def test_a_node_turns_everybody_away_for_a_while(
    stage: Stage, notes: Notes, name: str, errors: list[str]
) -> None:
    nemesis = next(one for one in refusals.nemeses(stage) if one.name == name)
    assert isinstance(nemesis, refusals.Refuse)
    nemesis.longest_s, nemesis.share = 1.0, 0.0
    with Prober(stage.cluster) as prober:
        nemesis.strike(random.Random(1))
    assert stage.cluster.view()[notes.first(name)["node"]].serves
    assert sum(prober.errors[error] for error in errors) > 2  # once is the connection that it parts with
    assert stage.cluster.whole()
    fill(stage.cluster)  # it takes writes again


def test_a_clock_is_stepped_and_put_right(stage: Stage, notes: Notes) -> None:
    if not stage.cluster.clocks:
        with pytest.raises(NotNow, match="libfaketime"):
            clock.StepClock(stage).strike(RNG)
        return
    clock.StepClock(stage, lasts_s=0.0).strike(RNG)
    node = stage.cluster.nodes[notes.first("stepped a clock")["node"]]
    assert notes.first("stepped a clock")["by_s"] in clock.STEPS_S
    assert abs(clocks.offset_s(node)) < 0.5


def test_servers_for_semaphores_die_forget_and_fall_silent(notes: Notes) -> None:
    with SemaphoreServers() as three:
        stage = Stage(None, three, [], [], notes)
        kill, wipe, _, _, silence, *_ = semaphores.nemeses(stage)
        for server in three.servers:
            server.call("SET", "some", "thing")
        runs = [one.client.info("server")["run_id"] for one in three.servers]

        for nemesis in (kill, wipe, silence):
            nemesis.longest_s = 0.1
        for nemesis in (silence, kill):
            nemesis.strike(RNG)
        kept = [one.call("GET", "some") for one in three.servers]
        lives = [one.client.info("server")["run_id"] for one in three.servers]
        wipe.strike(RNG)

        assert kept == [b"thing"] * 3
        assert [a for a, b in zip(runs, lives, strict=True) if a != b]
        assert None in [one.call("GET", "some") for one in three.servers]

        three.servers[0].signal(signal.SIGSTOP)
        silence.heal()
        assert three.servers[0].call("PING")
