"""announce: the types that live hosts serve."""

import json

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.keys import Control
from ganger.operations import control
from support.keyspace import now_ms


def test_types_are_known_until_nobody_announces_them(cluster: Cluster) -> None:
    keys = Control("ganger")
    stale = json.dumps({"queue": "old"})
    cluster.run(Command(keys.slot, ("HSET", keys.types, "old.type", f"5 {stale}", "torn", "")))
    control.announce(cluster, keys, {"shop.send": {"queue": "mail"}})
    assert control.types(cluster, keys) == {"shop.send": {"queue": "mail"}}


def test_a_stamp_from_before_the_clock_was_set_back_counts_from_now_on(cluster: Cluster) -> None:
    keys = Control("ganger")
    ahead_ms = now_ms(cluster) + 3_600_000
    cluster.run(Command(keys.slot, ("HSET", keys.types, "other.type", f'{ahead_ms} {{"queue": "other"}}')))
    control.announce(cluster, keys, {"shop.send": {"queue": "mail"}})
    assert control.types(cluster, keys) == {"shop.send": {"queue": "mail"}, "other.type": {"queue": "other"}}
    assert max(control.announced_at_ms(cluster, keys).values()) <= now_ms(cluster)
