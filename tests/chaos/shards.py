"""Slots on the move in a chaos run's cluster, one key after the other, and whole shards that come and go.

What an operator's tool does, slowly enough for the work to meet every state in between. servers.py has the
cluster; nemeses/slots.py calls this while the work goes on.
"""

from collections.abc import Callable, Iterable
from typing import Any

import redis

from chaos.nemesis import NotNow
from chaos.servers import RECOVERY_S, JobServers
from support.server import Server, wait_until

Between = Callable[[], None]
"""Called after each key that has moved."""


def nothing() -> None:
    """No pause between keys."""


def move_slot(cluster: JobServers, slot: int, target: str, between: Between = nothing) -> int:
    """Move a slot with all its keys to this node; how many keys there were."""
    source = cluster.owner(slot)
    here, there = cluster.nodes[source], cluster.nodes[target]
    wait_until(lambda: len({_epoch(cluster.nodes[ident]) for ident in cluster.nodes}) == 1, what="one epoch")
    _set_slot(there, slot, "IMPORTING", source)
    _set_slot(here, slot, "MIGRATING", target)
    return finish_move(cluster, slot, source, target, between)


def finish_move(cluster: JobServers, slot: int, source: str, target: str, between: Between = nothing) -> int:
    """The rest of a move that has begun, wherever it stopped."""
    here, there = cluster.nodes[source], cluster.nodes[target]
    moved = 0
    while keys := here.call("CLUSTER GETKEYSINSLOT", slot, 1):
        here.call(
            "MIGRATE", there.host, there.port, "", 0, 5000, "REPLACE", "AUTH", cluster.password, "KEYS", *keys
        )
        moved += 1
        between()
    for server in (there, here):
        _set_slot(server, slot, "NODE", target)
    wait_until(lambda: {known_owner(cluster, slot, node) for node in cluster.nodes.values()} == {target})
    # A node that ends right now must not take what it got along with it.
    there.call("WAIT", 1, 5000)
    return moved


def _set_slot(server: Server, slot: int, state: str, ident: str) -> None:
    """Valkey asks the replica first, and refuses when that says nothing for two seconds: then nothing has
    changed, and it is asked again."""

    def is_set() -> bool:
        try:
            return bool(server.call("CLUSTER SETSLOT", slot, state, ident))
        except redis.ResponseError as error:
            if str(error).startswith("NOREPLICAS"):
                return False
            raise RuntimeError(f"CLUSTER SETSLOT {slot} {state}: {error}") from error

    wait_until(is_set, what=f"a slot that is {state}", within_s=RECOVERY_S)


def known_owner(cluster: JobServers, slot: int, node: Server) -> str | None:
    """Who serves this slot, as this node believes."""
    return next((ident for ident, known in cluster.view(node).items() if known.has(slot)), None)


def _epoch(server: Server) -> Any:
    return server.call("CLUSTER INFO")["cluster_current_epoch"]


def open_moves(cluster: JobServers) -> list[tuple[int, str, str]]:
    """Moves that have begun and not ended: slot, source, target. A primary lists its own only."""
    found: dict[int, tuple[str, str]] = {}
    followers = {ident for ident, known in cluster.view().items() if known.primary_id != "-"}
    for ident, server in cluster.nodes.items():
        if ident in followers:
            continue
        for line in server.call("CLUSTER", "NODES").decode().splitlines():
            for word in line.split()[8:] if "myself," in line else []:
                slot, arrow, other = _moving(word)
                if arrow == "->-":
                    found[slot] = (ident, other)
                elif arrow == "-<-":
                    found.setdefault(slot, (other, ident))
    return [(slot, *ends) for slot, ends in sorted(found.items())]


def _moving(word: str) -> tuple[int, str, str]:
    """`[93->-ID]` and `[93-<-ID]`; other words are no moves."""
    for arrow in ("->-", "-<-"):
        slot, found, other = word.strip("[]").partition(arrow)
        if found:
            return int(slot), arrow, other
    return 0, "", ""


def finish_moves(cluster: JobServers) -> None:
    """End every move that has begun, whoever owns the slot or stands for its target by now."""
    for slot, _, begun in open_moves(cluster):
        source, target = cluster.owner(slot), _stands_for(cluster, begun)
        if source != target:
            _set_slot(cluster.nodes[source], slot, "MIGRATING", target)
            _set_slot(cluster.nodes[target], slot, "IMPORTING", source)
            finish_move(cluster, slot, source, target)
        else:
            cluster.everywhere(lambda server, slot=slot: server.call("CLUSTER SETSLOT", slot, "STABLE"))  # type: ignore[misc]


def _stands_for(cluster: JobServers, ident: str) -> str:
    """This node, or the primary that it follows since a failover."""
    followed = cluster.view()[ident].primary_id
    return ident if followed == "-" else followed


# ---- shards ------------------------------------------------------------------------------


def add_shard(cluster: JobServers) -> str:
    """A fresh primary and a replica of it join; its id. It serves nothing yet."""
    primary, replica = cluster.new_node(), cluster.new_node()
    idents: list[str] = [server.call("CLUSTER", "MYID").decode() for server in (primary, replica)]
    door = next(iter(cluster.running().values()))
    for server in (primary, replica):
        server.call("CLUSTER MEET", door.host, door.port)
    wait_until(lambda: set(idents) <= set(cluster.view(primary)), what="a primary that is known")
    wait_until(lambda: set(idents) <= set(cluster.view(replica)), what="a replica that is known")
    replica.call("CLUSTER REPLICATE", idents[0])
    cluster.nodes |= dict(zip(idents, (primary, replica), strict=True))
    cluster.wait_whole()
    return idents[0]


def give_slots(cluster: JobServers, slots: Iterable[int], target: str, between: Between = nothing) -> int:
    """Move them there; how many keys went along."""
    return sum(move_slot(cluster, slot, target, between) for slot in slots)


def drain_shard(cluster: JobServers, primary: str, between: Between = nothing) -> int:
    """All its slots go to the others in turn, and its nodes leave; how many keys went."""
    others = [ident for ident in cluster.primaries() if ident != primary]
    slots = [slot for first, last in cluster.view()[primary].slots for slot in range(first, last + 1)]
    if len(others) < 3:
        raise NotNow("a cluster keeps three primaries")
    moved = sum(
        move_slot(cluster, slot, others[number % len(others)], between) for number, slot in enumerate(slots)
    )
    leave(cluster, [primary, *cluster.replicas(primary)])
    return moved


def leave(cluster: JobServers, idents: list[str]) -> None:
    """These nodes end, and nobody remembers them."""
    leaving = [cluster.nodes.pop(ident) for ident in idents if ident in cluster.nodes]
    for server in leaving:
        server.stop()
    for server in cluster.nodes.values():
        for ident in idents:
            _forget(server, ident)
    cluster.wait_whole()


def _forget(server: Server, ident: str) -> None:
    try:
        server.call("CLUSTER FORGET", ident)
    except redis.ResponseError as error:
        if "Unknown node" not in str(error):
            raise
