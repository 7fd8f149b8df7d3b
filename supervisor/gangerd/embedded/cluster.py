"""From single servers to one cluster: slots, epochs, introductions, and the wait until it is whole.

Every step may be repeated on a cluster that is formed already. Called by fleet.py at each start."""

import time
from collections.abc import Sequence

from gangerd.embedded.layout import BUS_OFFSET
from gangerd.embedded.server import Server
from gangerd.embedded.wire import Refusal
from gangerd.errors import ServerFailed

SLOTS = 16_384
# A primary stays in state `fail` for its first two seconds, whatever one does; the rest is gossip.
WHOLE_S = 15.0


def form(servers: Sequence[Server]) -> None:
    """Make the servers one cluster with all slots covered. Raises ServerFailed when it does not become so."""
    for index, server in enumerate(servers):
        if int(_info(server)["cluster_slots_assigned"]) == 0:
            _assign(server, index, len(servers))
    first = servers[0]
    for other in servers[1:]:
        # Also on a cluster of old: a port may have changed since.
        first.ask("CLUSTER", "MEET", "127.0.0.1", str(other.port), str(other.port + BUS_OFFSET))
    deadline = time.monotonic() + WHOLE_S
    while not all(_whole(server, len(servers)) for server in servers):
        if time.monotonic() > deadline:
            raise ServerFailed(f"the embedded cluster was not whole within {WHOLE_S:g} s: {_state(servers)}")
        time.sleep(0.02)


def _assign(server: Server, index: int, count: int) -> None:
    first, last = index * SLOTS // count, (index + 1) * SLOTS // count - 1
    try:
        server.ask("CLUSTER", "ADDSLOTSRANGE", str(first), str(last))
        server.ask("CLUSTER", "SET-CONFIG-EPOCH", str(index + 1))
    except Refusal as refusal:
        # A node that has met others already learns its epoch from them, and says so.
        if "known nodes" not in str(refusal) and "already" not in str(refusal):
            raise ServerFailed(f"{server.name} refused its slots: {refusal}") from None


def _info(server: Server) -> dict[str, str]:
    text = server.ask("CLUSTER", "INFO")
    if not isinstance(text, bytes):
        raise ServerFailed(f"{server.name} does not run in cluster mode")
    return dict(line.partition(":")[::2] for line in text.decode().splitlines())


def _whole(server: Server, count: int) -> bool:
    try:
        info = _info(server)
    except OSError:
        return False
    covered = info["cluster_slots_ok"] == str(SLOTS)
    return info["cluster_state"] == "ok" and covered and int(info["cluster_size"]) == count


def _state(servers: Sequence[Server]) -> str:
    states = []
    for server in servers:
        try:
            info = _info(server)
            states.append(f"{server.port} {info['cluster_state']} {info['cluster_slots_ok']} slots")
        except OSError:
            states.append(f"{server.port} silent")
    return ", ".join(states)
