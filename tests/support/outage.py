"""A node of a cluster that falls silent for a while, as the tests of what goes on without it want it."""

from collections.abc import Iterator
from contextlib import contextmanager

from support.servers import ClusterServers, wait_until


@contextmanager
def away(servers: ClusterServers, but: int) -> Iterator[int]:
    """A node that does not hold the slot `but` is stopped; the others go on serving. Gives its index."""
    index = (servers.index_of(but) + 1) % servers.primaries
    for node in servers.nodes:
        node.call("CONFIG SET", "cluster-require-full-coverage", "no")
    servers.pause(index)
    try:
        yield index
    finally:
        servers.resume(index)
        for node in servers.nodes:
            node.call("CONFIG SET", "cluster-require-full-coverage", "yes")
            wait_until(lambda node=node: servers.state(node) == "ok")  # type: ignore[misc]
