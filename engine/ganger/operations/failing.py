"""Failing: what a failed, released or dead delivery becomes. Moves that only the holder of the lease may
make.

`fail` is the whole way from a failure to Redis: decide (retry.py), then the one script that does it. The
worker calls it for exceptions, the coordinator for deaths. A move answers an Outcome, never raises because
somebody else was first:

- moved: done. A repeat of a call whose reply was lost answers `gone`.
- gone: the entry is not there any more: settled, moved or recovered before.
- stolen: the entry is leased to another consumer now (a failover lost our claim); hands off.
- cancelled: somebody has cancelled this delivery meanwhile, so it has ended there, whatever was decided.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from ganger.calls import checked, fresh
from ganger.cluster import Cluster
from ganger.command import Command
from ganger.errors import Uninitialised
from ganger.job import Entry, State, encode_state
from ganger.keys import Partition
from ganger.lifecycle import DEAD_MAX_AGE_MS, DEAD_MAX_COUNT, dead_share
from ganger.retry import Bury, Decision, Discard, Failure, Policy, Recover, Release, Retry, decide
from ganger.scripts import script

MAX_RELEASED = 250
"""Per call, to bound how long the node is busy with it: a host that drains may give back thousands."""


class Outcome(StrEnum):
    MOVED = "moved"
    GONE = "gone"
    STOLEN = "stolen"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was decided, and whether it could be done."""

    decision: Decision
    outcome: Outcome


class _Noted(Exception):
    """The memo holds `count` crashes of this job that the caller's state does not know of yet."""

    def __init__(self, count: int) -> None:
        self.count = count


def fail(
    cluster: Cluster,
    entry: Entry,
    consumer: str,
    policy: Policy,
    failure: Failure,
    rng: Random,
    *,
    deadline_s: float = 10.0,
) -> Verdict:
    """Decide what this failure leads to and do it. Crashes that recover.note_crash left for the job count
    too."""
    noted = 0
    while True:
        decision = decide(policy, _with_crashes(entry.state, noted), failure, rng)
        try:
            return Verdict(decision, apply(cluster, entry, consumer, decision, noted, deadline_s=deadline_s))
        except _Noted as found:
            noted = found.count


def apply(
    cluster: Cluster,
    entry: Entry,
    consumer: str,
    decision: Decision,
    noted: int = 0,
    *,
    deadline_s: float = 10.0,
) -> Outcome:
    """Carry out a decision on an entry that the consumer holds."""
    match decision:
        case Retry(delay_ms=delay_ms, state=state):
            moving = retry_command(entry, consumer, delay_ms, state, noted)
        case Bury(state=state):
            moving = bury_command(entry, consumer, state, noted)
        case Discard(state=state):
            moving = discard_command(entry, consumer, state, noted)
        case Release(state=state):
            return release(cluster, entry.partition, consumer, [(entry, state)], deadline_s=deadline_s)[0]
        case Recover(state=state):
            moved = [(entry, state)]
            return release(cluster, entry.partition, consumer, moved, lost=True, deadline_s=deadline_s)[0]
    return _outcome(cluster, moving, entry.partition, deadline_s)


def retry_command(entry: Entry, consumer: str, delay_ms: int, state: State, noted: int = 0) -> Command:
    """working -> later."""
    partition = entry.partition
    keys = (
        partition.meta,
        partition.memo,
        *partition.ends,
        partition.streams[entry.stream],
        partition.later,
        partition.jobs_bucket(entry.jid),
    )
    args = (consumer, entry.stream, entry.id, entry.jid, entry.type, noted, delay_ms, encode_state(state))
    return script("retry").command(partition.slot, keys, (*fresh(), *args))


def bury_command(entry: Entry, consumer: str, state: State, noted: int = 0) -> Command:
    """working -> dead."""
    partition = entry.partition
    stream = partition.streams[entry.stream]
    keys = (partition.meta, partition.memo, *partition.ends, stream, partition.dead, *partition.jobs)
    args = (*fresh(), consumer, entry.stream, entry.id, entry.jid, entry.type, noted, encode_state(state))
    bounds = (dead_share(DEAD_MAX_COUNT, partition.count), DEAD_MAX_AGE_MS)
    return script("bury").command(partition.slot, keys, (*args, *bounds))


def discard_command(entry: Entry, consumer: str, state: State, noted: int = 0) -> Command:
    """working -> gone, counted as failed and exhausted."""
    partition = entry.partition
    keys = (partition.meta, partition.memo, *partition.ends, partition.streams[entry.stream])
    args = (*fresh(), consumer, entry.stream, entry.id, entry.jid, noted, encode_state(state))
    return script("discard").command(partition.slot, keys, args)


def release(
    cluster: Cluster,
    partition: Partition,
    consumer: str,
    entries: Sequence[tuple[Entry, State | None]],
    *,
    lost: bool = False,
    deadline_s: float = 10.0,
) -> list[Outcome]:
    """working -> returned, without an attempt used, in the order given; a state replaces the entry's own.
    `lost`: those with a state count as lost deliveries, not as released ones."""
    return [
        outcome
        for at in range(0, len(entries), MAX_RELEASED)
        for outcome in _release_some(
            cluster, partition, consumer, entries[at : at + MAX_RELEASED], lost, deadline_s
        )
    ]


def _release_some(
    cluster: Cluster,
    partition: Partition,
    consumer: str,
    entries: Sequence[tuple[Entry, State | None]],
    lost: bool,
    deadline_s: float,
) -> list[Outcome]:
    words: list[int | bytes] = []
    for entry, state in entries:
        words += [
            entry.stream,
            entry.id,
            0 if state is None else 2 if lost else 1,
            b"" if state is None else encode_state(state),
        ]
    keys = (partition.meta, partition.memo, *partition.ends, *partition.streams)
    releasing = script("release").command(partition.slot, keys, (partition.wake, *fresh(), consumer, *words))
    try:
        reply = checked(cluster.run(releasing, deadline_s=deadline_s), partition)
    except Uninitialised:
        return [Outcome.GONE] * len(entries)
    return [Outcome(word.decode()) for word in reply[1:]]


def set_aside(
    cluster: Cluster, partition: Partition, consumer: str, stream: int, id: bytes, *, deadline_s: float = 10.0
) -> Outcome:
    """An entry that is no job (claim.Garbled) goes to the dead letters as `garbled-<id>`, its fields as
    its body."""
    name = f"garbled-{id.decode('ascii', 'replace')}"
    entry = Entry(partition, stream, id, name, "garbled", State(), b"")
    return _outcome(cluster, bury_command(entry, consumer, State()), partition, deadline_s)


def _outcome(cluster: Cluster, command: Command, partition: Partition, deadline_s: float) -> Outcome:
    try:
        reply = checked(cluster.run(command, deadline_s=deadline_s), partition)
    except Uninitialised:
        return Outcome.GONE
    if reply[0] == b"noted":
        raise _Noted(int(reply[1]))
    return Outcome(reply[0].decode())


def _with_crashes(state: State, noted: int) -> State:
    """The state with late verdicts counted: each used an attempt and was a crash, and the `lost` it had been
    taken for is taken back."""
    if noted == 0:
        return state
    return State(
        attempts=state.attempts + noted,
        crashes=state.crashes + noted,
        lost=max(state.lost - noted, 0),
        released=state.released,
        revived=state.revived,
        failures=state.failures,
    )
