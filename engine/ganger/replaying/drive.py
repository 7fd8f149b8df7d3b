"""Runs over a queue's past, driven from anywhere: the command line, a dashboard, a test.

    run = order(cluster, control, "rewind", "mail", from_ms=...)
    seen = survey(cluster, control, run)            # what it would do: exact, per partition
    for run in begin(cluster, control, run, seen):  # or carry_on(...) with a run that was stopped
        ...                                         # run.moved grows
    for run in undo(cluster, control, run): ...     # while its jobs wait

Who drives may die at any moment: the jobs are where they are, one place each, and carry_on takes the rest. A
partition out of reach is left out and named in `run.missing`; carry_on tries it again.
"""

import contextlib
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field

from ganger.clock import monotonic_s
from ganger.cluster import Cluster
from ganger.errors import BadName, BadOptions, GangerError, JobNotFound
from ganger.keys import Control, Partition, check_queue, check_type, partitions
from ganger.lifecycle import RUN_MAX_AGE_MS
from ganger.operations import control as catalog
from ganger.operations import runs
from ganger.operations.replay import HOWS, Choice, Count
from ganger.operations.runs import Kind, Run, RunState
from ganger.replaying import work
from ganger.replaying.pace import Pace
from ganger.replaying.work import Work

USUAL = ("succeeded", "exhausted", "skipped")
"""What is replayed when nothing else is said: an expired job was not wanted any more when it ended."""
ROUND_S = 2.0
NOTE_S = 2.0
MAX_REST_MS = RUN_MAX_AGE_MS - 24 * 3600 * 1000
"""How long a run may rest before it can't be carried on."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a run would take: in all, and by partition. `missing`: partitions that did not answer."""

    total: Count = field(default_factory=Count)
    places: dict[int, Count] = field(default_factory=dict)
    missing: dict[int, str] = field(default_factory=dict)


def order(
    cluster: Cluster,
    control: Control,
    kind: Kind,
    queue: str,
    *,
    from_ms: int = 0,
    to_ms: int | None = None,
    type: str = "",
    hows: Sequence[str] = USUAL,
    into: str = "",
    rate: float = 0.0,
) -> Run:
    """A run not begun yet. It never reaches beyond now, so what it brings back and ends again is not its own
    any more. Raises BadName, BadOptions."""
    places(cluster, control, queue)
    now_ms = runs.now_ms(cluster, control)
    to_ms = now_ms if to_ms is None else min(to_ms, now_ms)
    if from_ms >= to_ms:
        raise BadOptions(
            "There is no time between the two instants: the first must be before the second and now."
        )
    if unknown := [how for how in hows if how not in HOWS]:
        raise BadOptions(f"A job of the log ended as one of {', '.join(HOWS)}, not as {unknown[0]!r}.")
    if into == queue:
        raise BadOptions(f"Jobs of {queue} replay in {queue} by themselves: into is for another queue.")
    return Run(
        run=runs.name(now_ms),
        kind=kind,
        queue=queue,
        from_ms=from_ms,
        to_ms=to_ms,
        type=check_type(type) if type else "",
        hows=list(hows),
        into=check_queue(into) if into else "",
        rate=rate,
        created_ms=now_ms,
        heard_ms=now_ms,
    )


def places(cluster: Cluster, control: Control, queue: str) -> tuple[Partition, ...]:
    """The partitions of a queue. Raises BadName for one that does not exist."""
    known = catalog.queues(cluster, control)
    if queue not in known:
        raise BadName(f"There is no queue {queue!r}; there are: {', '.join(known) or 'none'}.")
    return partitions(control.namespace, queue, known[queue])


def survey(cluster: Cluster, control: Control, run: Run) -> Seen:
    """What the run would take now, exactly; nothing moves."""
    found = places(cluster, control, run.queue)
    works: list[work.Survey] | list[work.SurveyWaiting]
    if run.kind == "skip":
        works = [work.SurveyWaiting(place, run.run, run.to_ms, run.type) for place in found]
    else:
        works = [work.Survey(place, run.run, _choice(run)) for place in found]
    for _ in _rounds(cluster, works, Pace()):
        pass
    total = Count()
    for each in works:
        total = work.added(total, each.found)
    return Seen(
        total,
        {each.partition.index: each.found for each in works},
        {each.partition.index: each.missing for each in works if each.missing},
    )


def begin(cluster: Cluster, control: Control, run: Run, seen: Seen) -> Generator[Run, None, None]:
    """Do it. Yields the run after each round of calls; stopped in between (^C, the iterator closed) it is
    `stopped` and can be carried on."""
    run.planned = seen.total.count  # now, and not with the first round: who shows it wants to know

    def going() -> Generator[Run, None, None]:
        runs.record(cluster, control, run, ("new",))
        yield from _drive(cluster, control, run)

    return going()


def carry_on(cluster: Cluster, control: Control, run: Run) -> Generator[Run, None, None]:
    """Go on with a run that was stopped, or whose driver is gone. Raises BadOptions when it can't be."""
    if run.state not in ("running", "stopped"):
        raise BadOptions(f"Run {run.run} is {run.state}: there is nothing to go on with.")
    if runs.now_ms(cluster, control) - run.heard_ms > MAX_REST_MS:
        raise BadOptions(f"Run {run.run} has rested for more than a week: order a new one.")
    run.state, run.missing = "running", {}
    yield from _drive(cluster, control, run)


def undo(cluster: Cluster, control: Control, run: Run) -> Generator[Run, None, None]:
    """Take back what of the run has not begun: what it brought back returns to the log, its copies go, what
    it skipped waits again. It stops at once where it still goes on, and can't be carried on."""
    if run.state == "undone":
        raise BadOptions(f"Run {run.run} is undone already.")
    run.state, run.missing = "undoing", {}
    works: list[Work]
    if run.kind == "skip":
        works = [work.Unskip(place, run.run) for place in places(cluster, control, run.queue)]
    elif run.into:
        works = [work.Undo(place, run.run, "gone") for place in places(cluster, control, run.into)]
    else:
        works = [work.Undo(place, run.run, "log") for place in places(cluster, control, run.queue)]
    before = runs.record(cluster, control, run, ("running", "stopped", "finished", "undoing"))
    if before is not None:
        raise BadOptions(f"Run {run.run} is {before} already.")
    for _ in _rounds(cluster, works, Pace()):
        run.undone |= {each.partition.index: each.moved for each in works if each.moved}
        yield run
    run.missing = {each.partition.index: each.missing for each in works if each.missing}
    if not run.missing:
        run.state = "undone"
    runs.record(cluster, control, run, ("undoing",))
    yield run


def find(cluster: Cluster, control: Control, name: str) -> Run:
    """The run of this name. Raises JobNotFound."""
    found = runs.find(cluster, control, name)
    if found is None:
        raise JobNotFound(f"There is no run {name!r}; `ganger queue runs` lists them.")
    return found


def known(cluster: Cluster, control: Control, queue: str | None = None) -> list[Run]:
    """All runs, or those over one queue; newest first."""
    return [run for run in runs.runs(cluster, control) if queue in (None, run.queue)]


def _choice(run: Run) -> Choice:
    return Choice(run.from_ms, run.to_ms, run.type, tuple(run.hows))


def _works(cluster: Cluster, control: Control, run: Run) -> list[Work]:
    found = places(cluster, control, run.queue)
    if run.kind == "skip":
        return [work.Skip(place, run.run, run.to_ms, run.type) for place in found]
    if not run.into:
        return [work.Replay(place, run.run, _choice(run)) for place in found]
    count = catalog.register_queue(cluster, control, run.into, len(found))
    targets = partitions(control.namespace, run.into, count)
    return [work.CopyInto(place, targets[place.index % count], run.run, _choice(run)) for place in found]


def _drive(cluster: Cluster, control: Control, run: Run) -> Generator[Run, None, None]:
    works = _works(cluster, control, run)
    noted_s = 0.0
    try:
        for _ in _rounds(cluster, works, Pace(run.rate)):
            for each in works:
                index = each.partition.index
                run.moved[index] = max(run.moved.get(index, 0), each.moved)
            if monotonic_s() - noted_s > NOTE_S:
                _note(cluster, control, run)
                noted_s = monotonic_s()
            if any(each.closed for each in works):
                break
            yield run
    except BaseException:
        # Also a ^C, or the iterator closed.
        _leave(cluster, control, run, "stopped")
        raise
    if any(each.closed for each in works):
        raise BadOptions(f"Run {run.run} is being undone by somebody: it goes no further.")
    run.missing = {each.partition.index: each.missing for each in works if each.missing}
    _leave(cluster, control, run, "stopped" if run.missing else "finished")
    yield run


def _leave(cluster: Cluster, control: Control, run: Run, state: RunState) -> None:
    run.state = state
    with contextlib.suppress(BadOptions):  # it is being undone: that word stands
        _note(cluster, control, run)


def _note(cluster: Cluster, control: Control, run: Run) -> None:
    """How it stands, as well as it can be told: without the control slot the run goes on all the same. Raises
    BadOptions when somebody undoes it."""
    try:
        run.heard_ms = runs.now_ms(cluster, control, deadline_s=NOTE_S)
        state = runs.record(cluster, control, run, ("running", "stopped"), deadline_s=NOTE_S)
    except GangerError:
        return
    if state is not None:
        raise BadOptions(f"Run {run.run} is {state} by now.")


def _rounds(cluster: Cluster, works: Sequence[Work], pace: Pace) -> Iterator[int]:
    """The calls of all partitions that have work, a round at a time; how many jobs each round moved."""
    turn = 0
    while left := [each for each in works if not each.done]:
        turn += 1
        first = turn % len(left)
        left = left[first:] + left[:first]
        chosen = [(each, share) for each, share in zip(left, pace.shares(len(left)), strict=True) if share]
        replies = cluster.run_many([each.command(share) for each, share in chosen], deadline_s=ROUND_S)
        moved, answered = 0, 0
        for (each, _), reply in zip(chosen, replies, strict=True):
            try:
                moved += each.heard(reply)
            except GangerError as error:
                each.failed(error)
            else:
                each.answered()
                answered += 1
        if not answered:
            pace.nothing_answered()
        yield moved
        pace.moved(moved)
