"""dead_trim: the bounds of the dead letters, noted and kept."""

from ganger import jid as jids
from ganger.cluster import Cluster
from ganger.command import Command
from ganger.job import Entry, State
from ganger.operations import failing, kept, look, upkeep
from ganger.operations.kept import Shelf
from ganger.retry import Bury
from support.keyspace import HOST, MAIL, add, buried, counter, lease, now_ms, opened, snapshot
from support.servers import ClusterServers

DAY_MS = 24 * 3600 * 1000


def test_what_is_within_its_bounds_stays(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    assert upkeep.trim_dead(cluster, MAIL) == 0
    assert snapshot(cluster_servers) == {}
    buried(cluster, 3)
    before = snapshot(cluster_servers)
    assert upkeep.trim_dead(cluster, MAIL, 36, DAY_MS) == 0
    after = snapshot(cluster_servers)
    assert after.pop(MAIL.meta) == before.pop(MAIL.meta) | {
        b"dead_count": b"3",
        b"dead_age": str(DAY_MS).encode(),
    }
    assert after == before


def test_the_oldest_go_until_the_bounds_are_kept(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    made = buried(cluster, 5)
    cluster.run(Command(MAIL.slot, ("ZADD", MAIL.dead, now_ms(cluster) - DAY_MS - 1, made[4])))
    assert upkeep.trim_dead(cluster, MAIL, 10_000, DAY_MS) == 1
    assert upkeep.trim_dead(cluster, MAIL, 24, DAY_MS) == 2
    found = snapshot(cluster_servers)
    assert [jid for jid, _ in found[MAIL.dead]] == [made[2].encode(), made[3].encode(), b""]
    assert sum(len(found[bucket]) - 1 for bucket in MAIL.jobs) == 2
    assert counter(cluster, "trimmed") == 3
    assert upkeep.trim_dead(cluster, MAIL, 24, DAY_MS) == 0
    assert snapshot(cluster_servers) == found


def test_a_hundred_go_a_call(cluster: Cluster) -> None:
    opened(cluster)
    rows = [word for number in range(150) for word in (number + 1, f"filler-{number}")]
    cluster.run(Command(MAIL.slot, ("ZADD", MAIL.dead, *rows)))
    assert [upkeep.trim_dead(cluster, MAIL) for _ in range(3)] == [100, 50, 0]


def test_burials_keep_the_bounds_that_were_noted(cluster: Cluster) -> None:
    made = jids.mint("mail", 3, 5)
    opened(cluster)
    upkeep.trim_dead(cluster, MAIL, 24, DAY_MS)
    for place, jid in enumerate(made, 1):
        add(cluster, f"{place}-1", jid)
        lease(cluster)
        entry = Entry(MAIL, 5, b"%d-1" % place, jid, "shop.send", State(), b"")
        assert failing.apply(cluster, entry, HOST, Bury(State())) == "moved"
    found = kept.parse_list(cluster.run(kept.list_command(MAIL, Shelf.DEAD)), MAIL).jobs
    assert {letter.jid for letter in found} == {made[4], made[3]}
    seen = look.parse_look(cluster.run(look.look_command(MAIL)), MAIL)
    assert not {name for name in seen.counters if name.startswith("dead_")}
