"""schedule: new jobs into later, once per op."""

from ganger.cluster import Cluster
from ganger.jid import mint
from ganger.operations import enqueue
from ganger.operations.enqueue import NewJob
from support.keyspace import MAIL, counter, now_ms, opened, snapshot, unstamped
from support.servers import ClusterServers


def jobs(count: int) -> list[NewJob]:
    return [NewJob(jid, "shop.send", b"{}") for jid in mint("mail", 3, count)]


def test_due_times_are_the_node_s(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    opened(cluster)
    soon, fixed = jobs(1), jobs(1)
    before_ms = now_ms(cluster)
    assert cluster.run(enqueue.schedule_command(MAIL, 7, soon, delay_ms=5000)) == [b"pushed"]
    assert cluster.run(enqueue.schedule_command(MAIL, 7, fixed, at_ms=99)) == [b"pushed"]
    found = snapshot(cluster_servers)
    due = dict(found[MAIL.later])
    assert due[fixed[0].jid.encode()] == 99
    assert before_ms + 5000 <= due[soon[0].jid.encode()] <= now_ms(cluster) + 5000
    assert found[MAIL.jobs_bucket(soon[0].jid)][soon[0].jid.encode()] == b"shop.send\n7\n0\n{}"
    assert counter(cluster, "enqueued") == 2


def test_the_same_op_adds_nothing(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    opened(cluster)
    new = jobs(20)
    cluster.run(enqueue.schedule_command(MAIL, 5, new, delay_ms=5000))
    before = snapshot(cluster_servers)
    assert cluster.run(enqueue.schedule_command(MAIL, 5, new, delay_ms=9000)) == [b"repeat"]
    assert cluster.run(enqueue.push_command(MAIL, 5, new)) == [b"repeat"]
    assert unstamped(snapshot(cluster_servers)) == unstamped(before)


def test_every_jid_is_in_the_bucket_that_python_looks_in(
    cluster: Cluster, cluster_servers: ClusterServers
) -> None:
    opened(cluster)
    new = jobs(200)
    cluster.run(enqueue.schedule_command(MAIL, 5, new, delay_ms=5000))
    found = snapshot(cluster_servers)
    assert all(one.jid.encode() in found[MAIL.jobs_bucket(one.jid)] for one in new)


def test_an_unopened_partition_is_left_alone(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    assert cluster.run(enqueue.schedule_command(MAIL, 5, jobs(1), delay_ms=1)) == [b"uninitialised"]
    assert snapshot(cluster_servers) == {}


def test_a_time_to_begin_counts_from_the_due_time(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    opened(cluster)
    soon, fixed = (jobs(1)[0]._replace(body=b"x+500 t9\n{}") for _ in range(2))
    cluster.run(enqueue.schedule_command(MAIL, 7, [soon], delay_ms=5000))
    cluster.run(enqueue.schedule_command(MAIL, 7, [fixed], at_ms=99))
    found = snapshot(cluster_servers)
    due = dict(found[MAIL.later])
    for one in (soon, fixed):
        record = found[MAIL.jobs_bucket(one.jid)][one.jid.encode()]
        assert record == b"shop.send\n7\n0\nx%d t9\n{}" % (due[one.jid.encode()] + 500)
