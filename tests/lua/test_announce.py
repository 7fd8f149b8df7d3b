"""announce: the types that live hosts serve."""

import json

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.keys import Control
from ganger.operations import control


def test_types_are_known_until_nobody_announces_them(cluster: Cluster) -> None:
    keys = Control("ganger")
    stale = json.dumps({"queue": "old"})
    cluster.run(Command(keys.slot, ("HSET", keys.types, "old.type", f"5 {stale}", "torn", "")))
    control.announce(cluster, keys, {"shop.send": {"queue": "mail"}})
    assert control.types(cluster, keys) == {"shop.send": {"queue": "mail"}}
