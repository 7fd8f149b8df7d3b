"""sweep_memo: what is old goes, what is young, a note, a run or the sentinel stays."""

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.operations import upkeep
from support.keyspace import (
    MAIL,
    now_ms,
    opened,
)


def test_only_the_old_goes(cluster: Cluster) -> None:
    opened(cluster)
    now = now_ms(cluster)
    fields = {"p:x:1": now - 700_000, "c:w": now - 700_000, "v:j": now - 700_000, "c:young": now, "v:old": 5}
    fields |= {"y:run": now - 700_000, "y:old": now - 9 * 24 * 3600 * 1000}
    words = [word for name, at in fields.items() for word in (name, f"1|{at}|")]
    cluster.run(Command(MAIL.slot, ("HSET", MAIL.memo, *words)))
    assert upkeep.sweep_memo(cluster, MAIL) == (0, 4)
    assert sorted(cluster.run(Command(MAIL.slot, ("HKEYS", MAIL.memo)))) == [
        b"",
        b"c:young",
        b"v:j",
        b"y:run",
    ]


def test_a_large_memo_takes_several_steps(cluster: Cluster) -> None:
    opened(cluster)
    words = [word for place in range(3000) for word in (f"c:{place}", "1|5|")]
    cluster.run(Command(MAIL.slot, ("HSET", MAIL.memo, *words)))
    steps, cursor, removed = 0, 0, 0
    while steps == 0 or cursor:
        cursor, some = upkeep.sweep_memo(cluster, MAIL, cursor)
        steps, removed = steps + 1, removed + some
    assert removed == 3000
    assert steps > 3
