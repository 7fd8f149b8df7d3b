"""push: new jobs into ready, once per op."""

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.jid import encode, made_at_ms, mint
from ganger.operations import enqueue
from ganger.operations.enqueue import NewJob
from support.children import readable
from support.keyspace import MAIL, add, counter, now_ms, opened, snapshot, unstamped
from support.servers import ClusterServers
from support.waiting import until


def job(jid: str, state: bytes = b"") -> NewJob:
    return NewJob(jid, "shop.send", b'{"args":[9007199254740993]}', state)


def test_jobs_lie_in_order_with_their_bytes_untouched(
    cluster: Cluster, cluster_servers: ClusterServers
) -> None:
    opened(cluster)
    made = mint("mail", 3, 2)
    reply = cluster.run(enqueue.push_command(MAIL, 7, [job(made[0]), job(made[1], b"[1]")]))
    assert reply == [b"pushed"]
    entries, leases = snapshot(cluster_servers)[MAIL.ready[6]]
    first = {b"j": made[0].encode(), b"t": b"shop.send", b"b": b'{"args":[9007199254740993]}'}
    assert [fields for _, fields in entries] == [first, first | {b"j": made[1].encode(), b"s": b"[1]"}]
    assert leases == []
    assert counter(cluster, "enqueued") == 2


def test_the_same_op_adds_nothing(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    opened(cluster)
    jobs = [job(jid) for jid in mint("mail", 3, 3)]
    cluster.run(enqueue.push_command(MAIL, 5, jobs))
    before = snapshot(cluster_servers)
    assert cluster.run(enqueue.push_command(MAIL, 5, jobs)) == [b"repeat"]
    assert unstamped(snapshot(cluster_servers)) == unstamped(before)


def test_the_same_op_of_a_cloned_producer_is_another(cluster: Cluster) -> None:
    """A machine restored twice from one snapshot: both go on with the same producer and op."""
    opened(cluster)
    (first,) = mint("mail", 3)
    other = encode(made_at_ms(first) + 1, 9) + first[9:]
    assert [cluster.run(enqueue.push_command(MAIL, 5, [job(jid)])) for jid in (first, other, other)] == [
        [b"pushed"],
        [b"pushed"],
        [b"repeat"],
    ]
    assert counter(cluster, "enqueued") == 2


def test_jobs_of_a_bulk_may_be_pushed_again_one_by_one(
    cluster: Cluster, cluster_servers: ClusterServers
) -> None:
    """The first of them must not make the op look done for the others."""
    opened(cluster)
    jobs = [job(jid) for jid in mint("mail", 3, 40)]
    replies = [
        cluster.run(enqueue.push_command(MAIL, 5, [one])) for one in (jobs[3], jobs[4], jobs[3], jobs[39])
    ]
    assert replies == [[b"pushed"], [b"pushed"], [b"repeat"], [b"pushed"]]
    assert cluster.run(enqueue.push_command(MAIL, 5, jobs)) == [b"pushed"]
    entries, _ = snapshot(cluster_servers)[MAIL.ready[4]]
    assert sorted(fields[b"j"].decode() for _, fields in entries) == [one.jid for one in jobs]
    assert counter(cluster, "enqueued") == 40


def test_an_op_older_than_the_window_is_refused(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    opened(cluster)
    stem = mint("mail", 3)[0][:21]
    old, new = stem + encode(7, 5) + "000", stem + encode(71, 5) + "000"
    cluster.run(enqueue.push_command(MAIL, 5, [job(new)]))
    before = snapshot(cluster_servers)
    assert cluster.run(enqueue.push_command(MAIL, 5, [job(old)])) == [b"stale"]
    assert snapshot(cluster_servers) == before


def test_ids_grow_over_all_streams_and_survive_a_clock_set_back(cluster: Cluster) -> None:
    opened(cluster)
    ahead = now_ms(cluster) + 3_600_000
    cluster.run(Command(MAIL.slot, ("HSET", MAIL.meta, "ms", ahead, "seq", 4503599627370400)))
    for priority in (5, 9, 5):
        cluster.run(enqueue.push_command(MAIL, priority, [job(mint("mail", 3)[0])]))
    rows = [cluster.run(Command(MAIL.slot, ("XRANGE", MAIL.ready[p - 1], "-", "+"))) for p in (5, 9)]
    ids = [tuple(map(int, id.split(b"-"))) for stream in rows for id, _ in stream]
    assert len(set(ids)) == 3
    assert all(ms in (ahead, ahead + 1) for ms, _ in ids)
    assert all(seq < 2**53 for _, seq in ids)


def test_a_stream_that_is_ahead_of_meta_is_followed(cluster: Cluster) -> None:
    opened(cluster)
    ahead = now_ms(cluster) + 5000
    add(cluster, f"{ahead}-18446744073709551615")
    assert cluster.run(enqueue.push_command(MAIL, 5, [job(mint("mail", 3)[0])])) == [b"pushed"]
    rows = cluster.run(Command(MAIL.slot, ("XRANGE", MAIL.ready[4], "-", "+")))
    assert rows[1][0].startswith(b"%d-" % (ahead + 1))


def test_an_entry_that_was_made_by_hand_beyond_all_time_blocks_nothing(cluster: Cluster) -> None:
    opened(cluster)
    add(cluster, f"{2**61 + 1}-1")
    for priority in (5, 5, 9):
        push = enqueue.push_command(MAIL, priority, [job(mint("mail", 3)[0])])
        assert cluster.run(push) == [b"pushed"]
    (_, first, second), (other,) = (
        [id for id, _ in cluster.run(Command(MAIL.slot, ("XRANGE", MAIL.ready[p - 1], "-", "+")))]
        for p in (5, 9)
    )
    assert (first, second) == (b"%d-2" % (2**61 + 1), b"%d-3" % (2**61 + 1))
    assert int(other.split(b"-")[0]) <= now_ms(cluster), "the other streams go by the clock"


def test_only_a_drained_partition_is_rung(cluster: Cluster) -> None:
    opened(cluster)
    node = cluster.node_of(MAIL.slot)
    assert node is not None
    ears = cluster.connection(node)
    ears.ssubscribe([MAIL.wake])
    for _ in range(2):
        cluster.run(enqueue.push_command(MAIL, 8, [job(mint("mail", 3)[0])]))
    heard: list[tuple[bytes, bytes]] = []

    def listen() -> bool:
        readable(ears, 0.1)
        heard.extend(ears.read())
        return bool(heard)

    until(listen, "the wake-up")
    assert heard == [(MAIL.wake, b"8")]
    ears.close()


def test_an_unopened_partition_is_left_alone(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    assert cluster.run(enqueue.push_command(MAIL, 5, [job(mint("mail", 3)[0])])) == [b"uninitialised"]
    assert snapshot(cluster_servers) == {}


def test_a_time_to_begin_counts_from_the_arrival_by_the_node_s_clock(
    cluster: Cluster, cluster_servers: ClusterServers
) -> None:
    opened(cluster)
    body = b'x+5000 t9\n{"args":["x+7"]}\nx+8'
    bodies = [b'{"args":["x+1"]}', body, b"b0b:17 " + body, b'x99 t9\n{"args":[]}', b"t9\nx+5000"]
    made = [job(jid)._replace(body=each) for jid, each in zip(mint("mail", 3, 5), bodies, strict=True)]
    before_ms = now_ms(cluster)
    cluster.run(enqueue.push_command(MAIL, 5, made))
    entries, _ = snapshot(cluster_servers)[MAIL.ready[4]]
    found = [fields[b"b"] for _, fields in entries]
    expires_ms = int(found[1][1:].split(b" ")[0])
    assert before_ms + 5000 <= expires_ms <= now_ms(cluster) + 5000
    stamped = body.replace(b"x+5000", b"x%d" % expires_ms, 1)
    assert found == [bodies[0], stamped, b"b0b:17 " + stamped, bodies[3], bodies[4]]
    # Of a partition that is careful already as well.
    (again,) = mint("mail", 3)
    cluster.run(enqueue.push_command(MAIL, 5, [job(again)._replace(body=body)]))
    entries, _ = snapshot(cluster_servers)[MAIL.ready[4]]
    assert int(entries[-1][1][b"b"][1:].split(b" ")[0]) >= expires_ms
