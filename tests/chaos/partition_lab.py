"""What becomes of a cluster whose nodes are parted: a process of its own, as lines_lab.py. `python -m
chaos.partition_lab` prints as JSON what it saw; test_network.py judges.
"""

import json
import random
from typing import Any

from chaos import network
from chaos.nemeses.partition import WAYS, PartNodes
from chaos.nemesis import Stage
from chaos.servers import JobServers
from support.server import wait_until


class Looking:
    """Lines that stay cut until the cluster is as it must become by that."""

    def __init__(self, lines: network.Network) -> None:
        self._lines = lines
        self.wanted: Any = None
        self.seen: Any = None

    def part(self, here: Any, there: Any) -> None:
        self._lines.part(here, there)
        wait_until(lambda: self.wanted(), what="the consequence of a cut")

    def unite(self) -> None:
        self._lines.unite()


def watch() -> dict[str, str]:
    """Each way in turn, until its consequence is there; whether the cluster is whole afterwards."""
    lines = network.lay(1)
    looking, told = Looking(lines), dict[str, Any]()
    seen: dict[str, str] = {}

    def note(what: str, **detail: Any) -> None:
        told[what] = detail

    with JobServers(addresses=lines.nodes()) as cluster:
        nemesis = PartNodes(Stage(cluster, None, [], [], note, looking))

        def parted() -> Any:
            return told["parted the nodes"]

        def stands_alone() -> bool:
            return bool(cluster.nodes[parted()["node"]].call("CLUSTER INFO")["cluster_state"] == "fail")

        def replaced() -> bool:
            first = parted()["slots"][0][0]
            owners = [
                next((ident for ident, known in cluster.view(server).items() if known.has(first)), None)
                for ident, server in cluster.nodes.items()
                if ident != parted()["node"]
            ]
            return stands_alone() and len(set(owners)) == 1 and owners[0] not in (None, parted()["node"])

        def unfollowed() -> bool:
            node = cluster.nodes[parted()["node"]]
            node.call("SET", _key_of(cluster, parted()["slots"][0][0]), "x")
            return bool(node.call("WAIT", 1, 100) == 0)

        wanted = {
            "a primary alone": replaced,
            "a shard alone": stands_alone,
            "a primary from its replica": unfollowed,
        }
        for way in sorted(WAYS):
            looking.wanted = wanted[way]
            nemesis.strike(random.Random(way), way, 0.0)
            seen[way] = "whole" if cluster.whole() else "not whole"
    lines.close()
    return seen


def _key_of(cluster: JobServers, slot: int) -> str:
    """A key in that slot."""
    some = next(iter(cluster.nodes.values()))
    return next(key for key in map(str, range(1_000_000)) if some.call("CLUSTER KEYSLOT", key) == slot)


if __name__ == "__main__":
    print(json.dumps(watch()))
