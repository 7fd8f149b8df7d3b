"""A bulk that goes wrong in part: its producer hears which jobs are in and which are not."""

from typing import Any

import pytest

from ganger import Client, pushing
from ganger import jid as jids
from ganger.calls import open_partition
from ganger.cluster import Cluster
from ganger.command import Command
from ganger.config import EngineConfig
from ganger.errors import OutcomeUnknown, ScriptFailed
from ganger.keys import Control, Partition, partitions
from ganger.operations import look
from ganger.operations.control import register_queue
from support.servers import ClusterServers

PLACES = partitions("ganger", "bulk", 3)


def waiting(cluster: Cluster, place: Partition) -> int:
    return look.parse_look(cluster.run(look.look_command(place)), place).ready


def block(cluster: Cluster, place: Partition) -> None:
    open_partition(cluster, place)
    cluster.run(Command(place.slot, ("DEL", place.ready[4])))
    cluster.run(Command(place.slot, ("SET", place.ready[4], "in the way")))


def clear(cluster: Cluster, place: Partition) -> None:
    cluster.run(Command(place.slot, ("DEL", place.ready[4])))
    open_partition(cluster, place)


@pytest.fixture
def client(cluster: Cluster, cluster_servers: ClusterServers) -> Client:
    register_queue(cluster, Control("ganger"), "bulk", len(PLACES))
    return Client(EngineConfig(redis=cluster_servers.settings()), cluster=cluster)


def test_one_chunk_that_fails_does_not_hide_what_became_of_the_others(
    cluster: Cluster, client: Client
) -> None:
    block(cluster, PLACES[1])
    with pytest.raises(OutcomeUnknown, match="20 of 60 jobs may not be in, the others are") as caught:
        client.push_many("bulk.send", [(number,) for number in range(60)], queue="bulk")
    assert len(set(caught.value.jids)) == 20
    clear(cluster, PLACES[1])
    for jid in caught.value.jids:
        assert client.push("bulk.send", [0], jid=jid, queue="bulk") == jid
    assert [waiting(cluster, place) for place in PLACES] == [20, 20, 20]


def test_when_none_is_in_the_error_is_its_own(cluster: Cluster, client: Client) -> None:
    for place in PLACES:
        block(cluster, place)
    with pytest.raises(ScriptFailed):
        client.push_many("bulk.send", [(number,) for number in range(60)], queue="bulk")
    for place in PLACES:
        clear(cluster, place)
    assert [waiting(cluster, place) for place in PLACES] == [0, 0, 0]


def test_a_very_large_bulk_may_have_every_trip_repeated(
    cluster: Cluster, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow server's replies come too late, and the transport sends the whole trip again."""
    for place in PLACES:
        open_partition(cluster, place)
    run_many = Cluster.run_many

    def twice(self: Cluster, commands: Any, **options: Any) -> Any:
        run_many(self, commands, **options)
        return run_many(self, commands, **options)

    monkeypatch.setattr(Cluster, "run_many", twice)
    monkeypatch.setattr(pushing, "MIN_CHUNK", 1)
    monkeypatch.setattr(jids, "MAX_PER_OP", 2)
    assert len(set(client.push_many("bulk.send", [(number,) for number in range(400)], queue="bulk"))) == 400
    monkeypatch.undo()
    assert sum(waiting(cluster, place) for place in PLACES) == 400
