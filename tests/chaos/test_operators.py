"""An operator pauses queues of a real cluster and resumes them, whatever becomes of the requests."""

import random
import signal
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from chaos.kinds import BULK, NAMESPACE, PARTITIONS, QUEUES
from chaos.nemeses import operators
from chaos.nemesis import Stage
from chaos.servers import JobServers
from ganger import inspect, pausing
from ganger.cluster import Cluster
from ganger.keys import Control
from ganger.operations import control

CONTROL = Control(NAMESPACE)
RNG = random.Random(6)
Notes = list[tuple[str, dict[str, Any]]]


@pytest.fixture
def notes() -> Notes:
    return []


@pytest.fixture
def stage(job_servers: JobServers, notes: Notes) -> Stage:
    return Stage(job_servers, None, [], [], lambda what, **detail: notes.append((what, detail)))


@pytest.fixture
def queues(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """The queues of a run; operators are in a hurry."""
    for name in ("SHORTEST_S", "LONGEST_S", "LATE_S"):
        monkeypatch.setattr(operators, name, 0.0)
    with closing(Cluster(stage.cluster.settings())) as cluster:
        for queue in QUEUES:
            control.register_queue(cluster, CONTROL, queue)
        yield cluster


def paused_partitions(cluster: Cluster) -> dict[str, int]:
    rows = inspect.queues(cluster, CONTROL)
    return {name: row["paused_partitions"] for name, row in rows.items() if row["paused"]}


def test_an_operator_pauses_a_queue_and_lets_it_go_on(stage: Stage, notes: Notes, queues: Cluster) -> None:
    seen: list[tuple[str, dict[str, int]]] = []

    def look(what: str, **detail: Any) -> None:
        notes.append((what, detail))
        seen.append((what, paused_partitions(queues)))

    stage.note = look
    operators.PauseQueue(stage).strike(RNG, BULK)
    paused = {BULK: PARTITIONS}
    assert seen == [
        ("pauses a queue", {}),
        ("paused a queue", paused),
        ("resumes a queue", paused),
        ("resumed a queue", {}),
    ]
    assert dict(notes)["paused a queue"] == {"queue": BULK, "reached": list(range(PARTITIONS))}


def test_what_is_still_paused_goes_on_at_the_next_strike_and_at_the_end(
    stage: Stage, notes: Notes, queues: Cluster
) -> None:
    nemesis = operators.PauseQueue(stage)
    pausing.pause_queue(queues, CONTROL, BULK)
    nemesis.strike(RNG, QUEUES[1])
    assert paused_partitions(queues) == {}
    pausing.pause_queue(queues, CONTROL, BULK)
    nemesis.heal()
    assert paused_partitions(queues) == {}
    assert [detail["queue"] for what, detail in notes if what == "resumed a queue"] == [BULK, QUEUES[1], BULK]


def test_a_pause_that_nobody_heard_of_is_lifted_twice(
    stage: Stage, notes: Notes, queues: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request may arrive when the queue has been told to go on."""
    monkeypatch.setattr(pausing, "DEADLINE_S", 0.2)
    place = stage.cluster.nodes[stage.cluster.owner(CONTROL.slot)]

    def stop(what: str, **detail: Any) -> None:
        notes.append((what, detail))
        if what == "pauses a queue":
            place.signal(signal.SIGSTOP)
        elif what == "resumes a queue":
            place.signal(signal.SIGCONT)

    stage.note = stop
    operators.PauseQueue(stage).strike(RNG, BULK)
    whats = [what for what, _ in notes]
    assert "paused a queue" not in whats and whats.count("resumed a queue") == 2
    assert paused_partitions(queues) == {}
