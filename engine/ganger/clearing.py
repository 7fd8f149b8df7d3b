"""Clearing a queue: what waits in it is removed unrun, and counted as cancelled. What runs is never touched.

`survey` says what there is, `clear` removes what the survey saw: what is pushed after it stays, and so does
what comes back meanwhile (a retry that came due, a released job). The command line and admin.py call.

Crash points. Between two chunks: the rest waits as before, and another clear goes on. A reply that is lost:
its chunk may be gone and counted in the partition, though not in the answer.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.errors import BadName, GangerError
from ganger.keys import Control, Partition, partitions
from ganger.operations import clear as chunks
from ganger.operations import control as catalog
from ganger.operations import look
from ganger.operations.look import Look

DEADLINE_S = 2.0


@dataclass(slots=True)
class Survey:
    """What the partitions of a queue hold, each with its mark; `missed` are out of reach."""

    queue: str
    looks: dict[Partition, tuple[Look, bytes]] = field(default_factory=dict)
    missed: dict[Partition, GangerError] = field(default_factory=dict)

    @property
    def waiting(self) -> int:
        """Ready and parked jobs."""
        return sum(seen.ready + seen.parked for seen, _ in self.looks.values())

    @property
    def later(self) -> int:
        """Scheduled and retrying jobs."""
        return sum(seen.later for seen, _ in self.looks.values())

    @property
    def in_flight(self) -> int:
        return sum(seen.in_flight for seen, _ in self.looks.values())


@dataclass(slots=True)
class Cleared:
    """How many jobs were removed; what `missed` partitions hold is still there."""

    removed: int = 0
    missed: dict[Partition, GangerError] = field(default_factory=dict)


def survey(cluster: Cluster, control: Control, queue: str) -> Survey:
    """Raises BadName for a queue that does not exist; GangerError when not even the catalog is in reach."""
    known = catalog.queues(cluster, control, deadline_s=DEADLINE_S)
    if queue not in known:
        raise BadName(f"There is no queue {queue!r}; there are: {', '.join(known) or 'none'}.")
    places = partitions(control.namespace, queue, known[queue])
    # The mark first: what a look counts after it is there at most.
    commands = [command(place) for command in (chunks.mark_command, look.look_command) for place in places]
    replies = cluster.run_many(commands, deadline_s=DEADLINE_S)
    found = Survey(queue)
    for place, mark, seen in zip(places, replies, replies[len(places) :], strict=False):
        try:
            found.looks[place] = look.parse_look(seen, place), chunks.parse_mark(mark)
        except GangerError as error:
            found.missed[place] = error
    return found


def clear(
    cluster: Cluster,
    found: Survey,
    *,
    scheduled: bool = False,
    on_removed: Callable[[int], object] | None = None,
) -> Cleared:
    """Remove what the survey saw waiting, `scheduled`: also what is due later. `on_removed` is told of each
    chunk."""
    result = Cleared(missed=dict(found.missed))
    waiting = {place: seen.ready + seen.parked for place, (seen, _) in found.looks.items()}

    def up_to_the_mark(place: Partition, most: int) -> Command:
        return chunks.waiting_command(place, found.looks[place][1], most)

    _sweep(cluster, waiting, up_to_the_mark, result, on_removed)
    if scheduled:
        later = {place: seen.later for place, (seen, _) in found.looks.items() if place not in result.missed}
        _sweep(cluster, later, chunks.later_command, result, on_removed)
    return result


def _sweep(
    cluster: Cluster,
    budget: dict[Partition, int],
    command: Callable[[Partition, int], Command],
    result: Cleared,
    on_removed: Callable[[int], object] | None,
) -> None:
    """Chunk by chunk, all partitions in a trip, of each at most its budget."""
    while budget := {place: most for place, most in budget.items() if most > 0}:
        commands = [command(place, min(chunks.CHUNK, most)) for place, most in budget.items()]
        for place, reply in zip(list(budget), cluster.run_many(commands, deadline_s=DEADLINE_S), strict=True):
            try:
                removed, more = chunks.parse(reply, place)
            except GangerError as error:
                result.missed[place] = error
                removed, more = 0, False
            result.removed += removed
            if on_removed is not None and removed:
                on_removed(removed)
            budget[place] = budget[place] - removed if more else 0
