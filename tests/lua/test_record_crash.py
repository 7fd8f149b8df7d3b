"""record_crash: each death once, the newest so many, totals of all."""

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.keys import Control
from ganger.operations import control
from ganger.scripts import script


def test_a_death_is_recorded_once(cluster: Cluster) -> None:
    keys = Control("ganger")
    assert control.record_crash(cluster, keys, "d1", "segfault", {"jid": "j1"})
    assert not control.record_crash(cluster, keys, "d1", "segfault", {"jid": "j2"})
    assert control.crashes(cluster, keys) == [{"jid": "j1"}]
    assert control.crash_totals(cluster, keys) == {"segfault": 1}


def test_the_newest_are_kept_and_all_are_counted(cluster: Cluster) -> None:
    keys = Control("ganger")
    three = (keys.crashes, keys.crash_records, keys.totals)
    for place in range(5):
        command = script("record_crash").command(
            keys.slot, three, (f"d{place}", "exit", f'{{"n":{place}}}', 3)
        )
        assert cluster.run(command) == [b"recorded"]
        cluster.run(Command(keys.slot, ("ZADD", keys.crashes, place + 1, f"d{place}")))
    assert control.crashes(cluster, keys) == [{"n": 4}, {"n": 3}, {"n": 2}]
    assert control.crashes(cluster, keys, 1) == [{"n": 4}]
    assert control.crash_totals(cluster, keys) == {"exit": 5}
