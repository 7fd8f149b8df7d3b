"""Job types that wait while no live worker knows them: what a forgotten deployment or a misspelt name makes.

A host announces its app's types three times a minute; a type that nobody announced for a minute, or while no
host is alive, is known to nobody. What waits is seen by a sample per partition: the twenty oldest jobs of
each priority, the fifty of later that are due first, and the fifty newest dead letters. So a type may be
missed while many others wait in front of it. It can't hide for long: where no worker serves the queue it
comes to the front, and where one does, it fails with the cause `unknown_type` and is among the retries or the
dead.
"""

from dataclasses import dataclass

from ganger.cluster import Cluster
from ganger.errors import GangerError
from ganger.keys import Control, Partition
from ganger.operations import control as catalog
from ganger.operations import kept, look
from ganger.operations.kept import Shelf

TYPE_SILENT_MS = 60_000
HOST_SILENT_MS = 15_000
"""A host whose last heartbeat is older, by the newest of all, is not alive."""
NEWEST_DEAD = 50


@dataclass(frozen=True, slots=True)
class Unserved:
    """Jobs of this type and queue that the sample saw: there may be more, unless it was `whole`."""

    type: str
    queue: str
    waiting: int
    dead: int
    """Whose last failure was `unknown_type`."""
    whole: bool


def live_hosts(cluster: Cluster, control: Control) -> list[catalog.Host]:
    """Those that were heard of lately, by the control node's clock."""
    hosts = catalog.hosts(cluster, control, deadline_s=look.LOOK_S)
    newest = max((host.at_ms for host in hosts), default=0)
    return [host for host in hosts if host.at_ms >= newest - HOST_SILENT_MS]


def known_types(cluster: Cluster, control: Control) -> set[str]:
    """The types that a live worker knows."""
    now_ms = max((host.at_ms for host in live_hosts(cluster, control)), default=None)
    if now_ms is None:
        return set()
    stamps = catalog.announced_at_ms(cluster, control, deadline_s=look.LOOK_S)
    return {name for name, at_ms in stamps.items() if at_ms >= now_ms - TYPE_SILENT_MS}


def unserved(cluster: Cluster, control: Control, groups: dict[str, tuple[Partition, ...]]) -> list[Unserved]:
    """By type and queue, those of which most wait first. What is out of reach is left out."""
    known = known_types(cluster, control)
    waiting: dict[tuple[str, str], int] = {}
    dead: dict[tuple[str, str], int] = {}
    partial: set[str] = set()
    places = [place for group in groups.values() for place in group]
    commands = [look.sample_command(place) for place in places]
    commands += [kept.list_command(place, Shelf.DEAD, limit=NEWEST_DEAD, heads=True) for place in places]
    replies = cluster.run_many(commands, deadline_s=look.LOOK_S)
    for number, place in enumerate(places):
        try:
            sample = look.parse_sample(replies[number], place)
            letters = kept.parse_list(replies[len(places) + number], place).jobs
        except GangerError:
            partial.add(place.queue)
            continue
        if not sample.whole:
            partial.add(place.queue)
        for type, count in sample.counts.items():
            if type not in known:
                waiting[type, place.queue] = waiting.get((type, place.queue), 0) + count
        for letter in letters:
            failures, type = letter.record.state.failures, letter.record.type
            if type not in known and failures and failures[-1].cause == "unknown_type":
                dead[type, place.queue] = dead.get((type, place.queue), 0) + 1
    found = [
        Unserved(*name, waiting.get(name, 0), dead.get(name, 0), name[1] not in partial)
        for name in waiting.keys() | dead.keys()
    ]
    return sorted(found, key=lambda one: (-one.waiting, -one.dead, one.type, one.queue))
