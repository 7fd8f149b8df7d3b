"""For the tests of scripts: the whole keyspace as one comparable value, and scripts called by their own
names."""

import re
from typing import Any

from ganger import jid as jids
from ganger.calls import fresh, open_partition
from ganger.cluster import Cluster
from ganger.command import Command
from ganger.job import Entry, State
from ganger.keys import Partition, partitions
from ganger.operations import failing
from ganger.retry import Bury
from ganger.scripts import script
from support.servers import ClusterServers

MAIL = partitions("ganger", "mail", 12)[3]
HOST = "a" * 16
OTHER_HOST = "b" * 16
WORKER = "1" * 16


def snapshot(servers: ClusterServers) -> dict[bytes, Any]:
    """Every key with its type's whole content, streams with their groups' leases (without idle times)."""
    found: dict[bytes, Any] = {}
    for node in servers.nodes[: servers.primaries]:
        for key in node.call("KEYS", "*"):
            found[key] = _content(node, key)
    return found


def unstamped(found: dict[bytes, Any]) -> dict[bytes, Any]:
    """The same without the instants in the memo: a repeated push moves them and nothing else."""
    memo = {name: re.sub(rb"\|\d+\|", b"||", value) for name, value in found[MAIL.memo].items()}
    return found | {MAIL.memo: memo}


def _content(node: Any, key: bytes) -> Any:
    kind = node.call("TYPE", key)
    if kind in (b"hash", "hash"):
        return dict(node.client.hgetall(key))
    if kind in (b"zset", "zset"):
        return node.client.zrange(key, 0, -1, withscores=True)
    if kind in (b"string", "string"):
        return node.client.get(key)
    pending = node.client.xpending_range(key, "workers", "-", "+", 10_000)
    leases = [(row["message_id"], row["consumer"]) for row in pending]
    return node.client.xrange(key), leases


def opened(cluster: Cluster, partition: Partition = MAIL) -> Partition:
    open_partition(cluster, partition)
    return partition


def run(cluster: Cluster, name: str, keys: tuple[bytes, ...], *args: Any) -> Any:
    """One call of a script with these keys and arguments; all in the partition's slot."""
    return cluster.run(script(name).command(MAIL.slot, keys, args))


def buried(cluster: Cluster, count: int, body: str = "{}") -> list[str]:
    """Dead letters, made the way of all; their jids, the last one newest."""
    opened(cluster)
    made = jids.mint("mail", 3, count)
    for place, jid in enumerate(made):
        add(cluster, f"{place + 1}-1", jid, b=body)
        lease(cluster)
        entry = Entry(MAIL, 5, b"%d-1" % (place + 1), jid, "shop.send", State(), b"")
        assert failing.apply(cluster, entry, HOST, Bury(State(attempts=3, crashes=2))) == "moved"
        cluster.run(Command(MAIL.slot, ("ZADD", MAIL.dead, 1_000_000_000_000 * 2 + place, jid)))
    return made


def ids() -> tuple[bytes, int, int]:
    """wake, nonce, step: what every script that makes entries wants first."""
    return (MAIL.wake, *fresh())


def add(cluster: Cluster, id: str, jid: str = "j1", *, stream: int = 5, **fields: str) -> bytes:
    """Put an entry under an id of the test's choice; answers the id."""
    words = {"j": jid, "t": "shop.send", "b": "{}"} | fields
    flat = [word for pair in words.items() for word in pair]
    cluster.run(Command(MAIL.slot, ("XADD", MAIL.streams[stream], id, *flat)))
    return id.encode()


def lease(cluster: Cluster, count: int = 1, *, stream: int = 5, consumer: str = HOST) -> list[bytes]:
    """Deliver the next entries of a stream to a consumer; answers their ids."""
    words = ("XREADGROUP", "GROUP", "workers", consumer, "COUNT", count, "STREAMS", MAIL.streams[stream], ">")
    reply = cluster.run(Command(MAIL.slot, words))
    return [id for id, _ in reply[0][1]]


def counter(cluster: Cluster, name: str) -> int:
    return int(cluster.run(Command(MAIL.slot, ("HGET", MAIL.meta, name))) or 0)


def now_ms(cluster: Cluster) -> int:
    """The clock of the node that holds the partition."""
    node = cluster.node_of(MAIL.slot)
    assert node is not None
    seconds, micros = cluster.run_on(node, ("TIME",))
    return int(seconds) * 1000 + int(micros) // 1000
