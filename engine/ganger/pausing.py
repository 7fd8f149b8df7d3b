"""Pausing queues and job types, cluster-wide; the same for taking it up again.

A wish is written into the control slot, then every partition is told, all in one trip; claims that start
after the answer obey it. The answer says which partitions were out of reach. The command line, admin.py and,
for `corrections`, the scheduler call.

Crash points. Between the wish and the partitions, or between two of them: the wish stands, and the leading
scheduler tells the rest within two of its rounds, also those that come back or are opened later. Between
a type's return and the way back of its last parked job: each partition that owes it says so in its meta, and
the scheduler pays. A reply that is lost: telling a partition twice does no harm.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from ganger.calls import open_command
from ganger.cluster import Cluster
from ganger.errors import BadName, GangerError, Uninitialised
from ganger.keys import Control, Partition, check_type, partitions
from ganger.operations import control as catalog
from ganger.operations import pause
from ganger.operations.pause import EVERYTHING, Changed, Held

DEADLINE_S = 2.0
Edits = Sequence[tuple[str, str]]


@dataclass(slots=True)
class Spread:
    """How far a wish has come: the partitions that obey it, and those that were out of reach, each with why.
    The leading scheduler tells these when they are back."""

    reached: list[Partition] = field(default_factory=list)
    missed: dict[Partition, GangerError] = field(default_factory=dict)
    since_ms: int = 0
    """Of a pause: when it was first asked for, by the control node's clock; `note` is what was said then."""
    note: str = ""
    changed: bool = True
    """False: it was so already, and the partitions were told again."""
    unparked: int = 0
    """Jobs of a type that wait again."""


def pause_queue(cluster: Cluster, control: Control, queue: str, note: str = "") -> Spread:
    """No job of the queue is handed out any more by claims that start after this returns. What runs goes on,
    and a worker may still start what it has claimed already: about 50 ms of work, and after 0.3 s its host
    takes the rest back. Raises BadName for a queue that does not exist; GangerError when nothing was
    changed."""
    _places(cluster, control, queue)
    return _hold(cluster, control, "queue", queue, note)


def resume_queue(cluster: Cluster, control: Control, queue: str) -> Spread:
    """The queue's jobs are handed out again, and idle workers are rung for them. Raises as pause_queue."""
    places = _places(cluster, control, queue)
    changed = pause.unwant(cluster, control, "queue", queue, deadline_s=DEADLINE_S)
    _, spread = _tell(cluster, places, [("-", EVERYTHING)], opening=False)
    spread.changed = changed
    return spread


def pause_type(cluster: Cluster, control: Control, type: str, note: str = "") -> Spread:
    """No job of the type is handed out any more, whatever queue it is in: a claim that meets one parks it,
    and goes on with those behind it. Otherwise like pause_queue. Raises BadName."""
    return _hold(cluster, control, "type", check_type(type), note)


def resume_type(
    cluster: Cluster, control: Control, type: str, on_unparked: Callable[[int], object] | None = None
) -> Spread:
    """Jobs of the type are handed out again; the parked ones go before others of their priority, in their
    order. `on_unparked` is told of each chunk. Raises as pause_type."""
    places = _places(cluster, control, None)
    check_type(type)
    changed = pause.unwant(cluster, control, "type", type, deadline_s=DEADLINE_S)
    told, spread = _tell(cluster, places, [("-", type)], opening=False)
    spread.changed = changed
    owing = {place: (each.changes, b"") for place, each in told.items() if each.parked}
    while owing:
        commands = [pause.unpark_command(place, *owing[place]) for place in owing]
        for place, reply in zip(list(owing), cluster.run_many(commands, deadline_s=DEADLINE_S), strict=True):
            debt, _ = owing.pop(place)
            try:
                step = pause.parse_unpark(reply, place)
            except GangerError:
                continue  # it still owes: the scheduler goes on
            spread.unparked += step.moved
            if on_unparked is not None:
                on_unparked(step.moved)
            if step.after:
                owing[place] = (debt, step.after)
    return spread


def corrections(held: Held, whole: bool, types: Collection[str]) -> Edits:
    """What a partition must be told when the queue shall be paused or not, and these types. Pure."""
    edits: list[tuple[str, str]] = []
    if whole != held.everything:
        edits.append(("+" if whole else "-", EVERYTHING))
    edits += [("+", type) for type in sorted(set(types) - held.types)]
    edits += [("-", type) for type in sorted(held.types - set(types))]
    return edits


def _hold(cluster: Cluster, control: Control, kind: str, name: str, note: str) -> Spread:
    wish, fresh = pause.want(cluster, control, kind, name, note, deadline_s=DEADLINE_S)
    # Only now: a queue that comes to be in between is among them.
    places = _places(cluster, control, name if kind == "queue" else None)
    _, spread = _tell(cluster, places, [("+", EVERYTHING if kind == "queue" else name)], opening=True)
    spread.since_ms, spread.note, spread.changed = wish.since_ms, wish.note, fresh
    return spread


def _tell(
    cluster: Cluster, places: Sequence[Partition], edits: Edits, *, opening: bool
) -> tuple[dict[Partition, Changed], Spread]:
    """All partitions in one trip; those that were never opened hold nothing, and are opened first when they
    must remember."""
    told: dict[Partition, Changed] = {}
    spread = Spread()
    unopened = _ask(cluster, places, edits, told, spread)
    if unopened and opening:
        cluster.run_many([open_command(place) for place in unopened], deadline_s=DEADLINE_S)
        for place in _ask(cluster, unopened, edits, told, spread):
            spread.missed[place] = Uninitialised("It could not be opened.")
    elif unopened:
        told.update({place: Changed(True) for place in unopened})
    spread.reached = sorted(told, key=lambda place: (place.queue, place.index))
    return told, spread


def _ask(
    cluster: Cluster,
    places: Sequence[Partition],
    edits: Edits,
    told: dict[Partition, Changed],
    spread: Spread,
) -> list[Partition]:
    """Those that must be opened first."""
    unopened = []
    commands = [pause.change_command(place, edits) for place in places]
    for place, reply in zip(places, cluster.run_many(commands, deadline_s=DEADLINE_S), strict=True):
        try:
            told[place] = pause.parse_change(reply, place)
        except Uninitialised:
            unopened.append(place)
        except GangerError as error:
            spread.missed[place] = error
    return unopened


def _places(cluster: Cluster, control: Control, queue: str | None) -> list[Partition]:
    """The partitions of a queue, or of all."""
    known = catalog.queues(cluster, control, deadline_s=DEADLINE_S)
    if queue is not None and queue not in known:
        raise BadName(f"There is no queue {queue!r}; there are: {', '.join(known) or 'none'}.")
    names = known if queue is None else [queue]
    return [place for name in names for place in partitions(control.namespace, name, known[name])]
