"""For the tests of lanes: a partition in which types wait aside, and its scripts in short words."""

import contextlib
from collections.abc import Callable, Sequence

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.job import Entry
from ganger.operations import claim, lanes
from ganger.operations.claim import Claimed
from ganger.operations.lanes import Lane, Mark, Unlaned, Unsorted
from support.children import readable
from support.keyspace import HOST, MAIL, WORKER, opened
from support.waiting import until

COSTS = claim.pack_costs({"shop.send": 10, "a": 10, "b": 10})


def marked(cluster: Cluster, *marks: Mark, ttl_ms: int = lanes.MARK_MS) -> None:
    """An open partition in which these types wait in lanes."""
    opened(cluster)
    assert aside(cluster, *marks, ttl_ms=ttl_ms)


def aside(cluster: Cluster, *marks: Mark, ttl_ms: int = lanes.MARK_MS) -> bool:
    return lanes.parse_aside(cluster.run(lanes.aside_command(MAIL, marks, ttl_ms)), MAIL)


def words(cluster: Cluster) -> str:
    """What meta says of them, without the instants."""
    said = cluster.run(Command(MAIL.slot, ("HGET", MAIL.meta, "aside"))) or b""
    return " ".join(word.partition("=")[0] for word in said.decode().split())


def take(cluster: Cluster, op: int = 1, *, cap: int = 64) -> Claimed:
    """A plain claim, which puts aside what it meets."""
    return claim.claim(cluster, MAIL, HOST, WORKER, op, budget_us=10**9, cap=cap, costs=COSTS)


def take_lane(
    cluster: Cluster,
    lane: str,
    op: int = 100,
    *,
    cap: int = 64,
    budget_us: int = 10**9,
    cap_bytes: int = 1 << 20,
    host: str = HOST,
) -> Claimed:
    command = lanes.claim_command(MAIL, host, WORKER, op, lane, budget_us, cap, cap_bytes, COSTS)
    return claim.parse(cluster.run(command), MAIL)


def jids(entries: Sequence[Entry]) -> list[str]:
    return [entry.jid for entry in entries]


def unsorted(cluster: Cluster, limit: int = 64) -> list[Unsorted]:
    return lanes.parse_unsorted(cluster.run(lanes.unsorted_command(MAIL, limit)), MAIL)


def sort(cluster: Cluster, *keys: tuple[bytes, str, str]) -> int:
    return lanes.parse_sort(cluster.run(lanes.sort_command(MAIL, keys)), MAIL)


def look(cluster: Cluster, after: str = "", limit: int = 32) -> tuple[list[Lane], str]:
    return lanes.parse_look(cluster.run(lanes.look_command(MAIL, after, limit)), MAIL)


def unlane(cluster: Cluster, after: str = "", debt: str = "", limit: int = 200) -> Unlaned:
    return lanes.parse_unlane(cluster.run(lanes.unlane_command(MAIL, after, debt, limit)), MAIL)


def put(cluster: Cluster, lane: str, id: str, jid: str, **fields: str) -> None:
    """An entry of priority 5 into a lane, under an id of the test's choice, older than all others."""
    place = f"{lane}41"
    named = {"j": jid, "t": "shop.send", "b": "{}", "s": "", "p": "5", "l": place, "k": ""} | fields
    flat = [word for pair in named.items() for word in pair]
    ms, _, seq = id.partition("-")
    cluster.run(Command(MAIL.slot, ("XADD", MAIL.parked, id, *flat)))
    cluster.run(Command(MAIL.slot, ("ZADD", MAIL.lanes, 0, f"{place}{ms:0>14}-{seq:0>20}")))


def over(cluster: Cluster, *types: str) -> None:
    """The time of these words is over."""
    said = cluster.run(Command(MAIL.slot, ("HGET", MAIL.meta, "aside"))).decode().split()
    changed = [f"{word.partition('=')[0]}=1" if word.partition("=")[0] in types else word for word in said]
    cluster.run(Command(MAIL.slot, ("HSET", MAIL.meta, "aside", " ".join(changed))))


def heard(cluster: Cluster, act: Callable[[], object]) -> list[bytes]:
    """What the coordinators are told first when this is done."""
    node = cluster.node_of(MAIL.slot)
    assert node is not None
    with contextlib.closing(cluster.connection(node)) as ears:
        ears.ssubscribe([MAIL.wake])
        told: list[bytes] = []

        def listen() -> bool:
            readable(ears, 0.1)
            told.extend(payload for _, payload in ears.read())
            return bool(told)

        act()
        until(listen, "the hint")
    return told
