"""A push that waits while its primary is replaced, and becomes primary again, is not promised."""

import threading

import pytest

from chaos.servers import PASSWORD, JobServers
from ganger.calls import open_partition
from ganger.cluster import Cluster
from ganger.durability import broken
from ganger.errors import OutcomeUnknown
from ganger.jid import mint
from ganger.keys import partitions
from ganger.operations import enqueue, look
from ganger.operations.enqueue import NewJob
from support.server import wait_until

HERE = b"# Replication\r\nrole:master\r\nmaster_replid:%s\r\nmaster_replid2:0\r\n"


def test_a_primary_that_came_back_confirms_nothing_of_its_time_before(job_servers: JobServers) -> None:
    """Redis ends such a WAIT with an error; Valkey answers it with 1 when the new replica is in step."""
    place = partitions("ganger", "replaced", 12)[0]
    old = job_servers.owner(place.slot)
    new = job_servers.replicas(old)[0]
    primary, replica = job_servers.nodes[old], job_servers.nodes[new]
    raised: list[BaseException] = []

    def push(cluster: Cluster) -> None:
        jobs = [NewJob(mint("replaced", 0)[0], "shop.send", b"{}")]
        try:
            enqueue.push(cluster, place, 5, jobs, deadline_s=20.0, replicas=1)
        except OutcomeUnknown as error:
            raised.append(error)

    cluster = Cluster(job_servers.settings())
    open_partition(cluster, place)
    waiting = threading.Thread(target=push, args=(cluster,))
    replica.call("CONFIG SET", "masterauth", "another")
    primary.call("CLIENT", "KILL", "TYPE", "replica")
    wait_until(lambda: primary.client.info("replication")["connected_slaves"] == 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ganger.durability.WAIT_S", 15.0)
        waiting.start()
        wait_until(lambda: primary.client.xlen(place.ready[4]), what="a push that is in")
        wait_until(lambda: primary.client.info("clients")["blocked_clients"], what="a client that waits")
        replica.call("CLUSTER FAILOVER TAKEOVER")
        wait_until(lambda: primary.client.info("replication")["role"] == "slave")
        replica.call("CONFIG SET", "masterauth", PASSWORD)
        wait_until(lambda: primary.client.info("replication")["master_link_status"] == "up")
        for _ in range(100):  # more than the push was: an answer counts bytes
            replica.call("SET", place.meta + b":more", b"x" * 1000)
        primary.call("CLUSTER FAILOVER FORCE")
        job_servers.wait_whole()
        waiting.join()

    seen = look.parse_look(cluster.run(look.look_command(place)), place)
    cluster.close()
    assert job_servers.owner(place.slot) == old
    assert raised or seen.ready, "it is promised, and it is not there"


@pytest.mark.parametrize(
    ("before", "after", "good"),
    [
        (HERE % b"abc", HERE % b"abc", True),
        (HERE % b"abc", HERE % b"abd", False),
        (HERE % b"abc", (HERE % b"abc").replace(b":master\r", b":slave\r"), False),
        (HERE % b"abc", b"", False),
        (None, None, False),
    ],
)
def test_an_answer_counts_in_one_history(before: object, after: object, good: bool) -> None:
    assert (broken(before, after) == "") is good
