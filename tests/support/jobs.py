"""Jobs for the tests of the roles: pushed, claimed and looked at through the engine's own operations."""

from collections import Counter
from typing import Any

from ganger import jid as jids
from ganger.calls import open_partition
from ganger.cluster import Cluster
from ganger.job import Body, Entry, encode_body
from ganger.keys import Control, Partition
from ganger.operations import claim, control, enqueue, find, look
from gangerd.recorder import Held

KEYS = Control("ganger")
COSTS = {"shop.send": 1, "shop.once": 1, "unheard.of": 1}
"""Known types, or a claim would take one job alone."""


def queue(cluster: Cluster, name: str = "mail", count: int = 3) -> tuple[Partition, ...]:
    """A registered queue with open partitions."""
    from ganger.keys import partitions

    control.register_queue(cluster, KEYS, name, count)
    made = partitions("ganger", name, count)
    for partition in made:
        open_partition(cluster, partition)
    return made


def push(
    cluster: Cluster, partition: Partition, count: int = 1, *, type: str = "shop.send", priority: int = 5
) -> list[str]:
    """New jobs in ready; their jids."""
    made = jids.mint(partition.queue, partition.index, count)
    body = encode_body(Body(args=[1], pushed_at_ms=1))
    enqueue.push(cluster, partition, priority, [enqueue.NewJob(jid, type, body) for jid in made])
    return made


def take(cluster: Cluster, partition: Partition, consumer: str, worker: str, op: int = 1) -> list[Entry]:
    """Claim everything that waits."""
    return claim.claim(cluster, partition, consumer, worker, op, budget_us=10**12, costs=COSTS).entries


def held(entry: Entry) -> Held:
    """The entry as a page shows it."""
    partition = entry.partition
    place = (partition.queue, partition.index, entry.stream, entry.id.decode())
    return Held(*place, entry.jid, entry.type, entry.state.attempts + 1)


def seen(cluster: Cluster, partition: Partition) -> look.Look:
    return look.parse_look(cluster.run(look.look_command(partition)), partition)


def where(cluster: Cluster, partition: Partition, jid: str) -> tuple[Any, ...] | None:
    """(state, attempts, crashes, lost, released) of a job, None when it is gone."""
    found = find.find(cluster, partition, jid)
    if found is None:
        return None
    state = found.record.state
    return (str(found.state), state.attempts, state.crashes, state.lost, state.released)


def keyspace(cluster: Cluster, partitions: tuple[Partition, ...]) -> dict[str, Any]:
    """Everything that a death may change, without what is random (entry ids, due times)."""
    totals: Counter[str] = Counter()
    picture: dict[str, Any] = {}
    for partition in partitions:
        now = seen(cluster, partition)
        totals.update({name: value for name, value in now.counters.items() if value})
        picture[f"partition {partition.index}"] = (now.waiting, now.in_flight, now.later, now.dead)
    return picture | {
        "counters": dict(totals),
        "crashes": [record["id"] for record in control.crashes(cluster, KEYS)],
        "totals": control.crash_totals(cluster, KEYS),
    }
