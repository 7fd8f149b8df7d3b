"""A partition that an older version opened gets what it lacks from the leader, and keeps what it has."""

from ganger.calls import open_partition
from ganger.cluster import Cluster, Command
from ganger.keys import Partition, partitions
from ganger.operations import control
from gangerd.roles.scheduler.opening import Opening
from gangerd.roles.scheduler.service import Scheduler
from support import jobs
from support.keyspace import snapshot
from support.roles import stage
from support.servers import ClusterServers

SINCE = ("locks", "tracks", "outbox", "log", "parked", "crons")
"""What the first version did not know."""


MAIL = partitions("ganger", "mail", 3)


def opened_of_old(cluster: Cluster, partition: Partition) -> None:
    open_partition(cluster, partition)
    jobs.push(cluster, partition, 2)
    cluster.run(Command(partition.slot, ("DEL", *(getattr(partition, name) for name in SINCE))))


def test_the_leader_adds_what_came_since(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    old, whole, unopened = MAIL
    control.register_queue(cluster, jobs.KEYS, "mail", 3)
    open_partition(cluster, whole)
    opened_of_old(cluster, old)
    # One effect of a script that ran meanwhile: it makes the hash, without the sentinel that is not counted.
    cluster.run(Command(old.slot, ("HSET", old.outbox, "b:b-000000000000000000000:1", "succeeded j")))
    before = snapshot(cluster_servers)
    with stage(cluster_servers.url) as at:
        Scheduler(at.role, cluster).begin()
        at.run_until(lambda: cluster.run(Command(old.slot, ("EXISTS", old.crons))), "mended")
        at.run_until(lambda: cluster.run(Command(old.slot, ("HLEN", old.outbox))) == 1, "told to nobody")
    after = snapshot(cluster_servers)
    kept = {key for key in before if key.startswith(old.meta[:-4]) and key not in (old.outbox, old.meta)}
    assert {key: after[key] for key in kept} == {key: before[key] for key in kept}
    assert after[old.parked] == after[old.log] == ([], [])
    assert not any(key in after for key in unopened.streams)


def test_each_is_asked_until_it_is_whole(cluster: Cluster) -> None:
    old, whole, unopened = MAIL
    open_partition(cluster, whole)
    opened_of_old(cluster, old)
    opening = Opening(cluster)
    places = [old, whole, unopened]
    assert [opening.mend(places) for _ in range(2)] == [1, 0]
    opened_of_old(cluster, unopened)
    assert [opening.mend(places) for _ in range(2)] == [1, 0]
