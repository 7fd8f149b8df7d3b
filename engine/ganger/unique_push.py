"""Pushing what must be the only one of its kind: the unique half of pushing.py, and its conflicts.

There is one partition it may go to, the digest's; when its node is down the push fails, for nobody else could
say whether the lock is free. Crash points: lock and job are one script, so either both are there or neither;
to replace a waiting holder that is not in later takes a search and a second call, which looks again.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, cast

from ganger import jid as jids
from ganger.calls import open_partition
from ganger.cluster import Cluster
from ganger.command import Command
from ganger.errors import BadOptions, GangerError, NotUnique, OutcomeUnknown, Uninitialised
from ganger.job import NewJob
from ganger.keys import Partition
from ganger.lifecycle import JobState
from ganger.operations import find, unique
from ganger.operations.unique import Answer, Conflict
from ganger.options import Options, check_unique_for
from ganger.push_options import PushOptions
from ganger.pushing import DEADLINE_S, MOST_OPS, Pusher, Target
from ganger.rows import Row
from ganger.unique import digest, partition_index

_TRIES = 3
"""So often a holder that moved while it was being replaced is looked for again."""


@dataclass(frozen=True, slots=True)
class Lock:
    """What makes a job unique."""

    digest: str
    ttl_ms: int
    on_conflict: Conflict


def unique_locks(
    queue: str,
    type: str,
    options: Options,
    chosen: PushOptions,
    calls: Collection[Row],
) -> list[Lock] | None:
    """A lock for each call, or None for a type (and a push) that asks for none. Raises BadOptions."""
    seconds = options.unique_for if chosen.unique_for is None else check_unique_for(chosen.unique_for)
    if seconds is None:
        if chosen.on_conflict is not None:
            raise BadOptions("on_conflict needs unique_for: how long the lock lasts at most, in seconds.")
        return None
    on_conflict = cast(Conflict, options.on_conflict if chosen.on_conflict is None else chosen.on_conflict)
    return [
        Lock(digest(queue, type, options, args, kwargs), int(seconds * 1000), on_conflict)
        for args, kwargs in calls
    ]


class UniquePusher:
    """Safe for threads, as Pusher is."""

    def __init__(self, cluster: Cluster, pusher: Pusher, *, replicas: int = 0) -> None:
        self._cluster = cluster
        self._pusher = pusher
        self._replicas = replicas

    def push(self, target: Target, body: bytes, lock: Lock, *, jid: str | None = None) -> str:
        """The job's jid, or with `skip` the holder's. Raises NotUnique; otherwise like Pusher.push_one."""
        places = self._pusher.places(target.queue)
        place = places[partition_index(lock.digest, len(places))]
        if jid is None:
            jid = jids.mint(target.queue, place.index)[0]
        elif self._pusher.place_of(target.queue, jid) != place:
            raise BadOptions(f"jid {jid} was made for another partition: the arguments are not its own.")
        job = NewJob(jid, target.type, body)
        return self._outcome(target, place, job, lock, self._ask(target, place, job, lock, None))

    def reserve(self, queue: str, lock: Lock) -> str:
        """A jid for `push`, made before the push."""
        return jids.reserve(queue, partition_index(lock.digest, len(self._pusher.places(queue))))

    def push_many(self, target: Target, bodies: Sequence[bytes], locks: Sequence[Lock]) -> list[str]:
        """In as few trips as may be repeated whole, then what conflicts have left to do. Raises NotUnique for
        the first that may not be pushed, and OutcomeUnknown with the jids that may or may not be in; the
        others are in."""
        places = self._pusher.places(target.queue)
        jobs: list[tuple[Partition, NewJob]] = []
        for body, lock in zip(bodies, locks, strict=True):
            place = places[partition_index(lock.digest, len(places))]
            jobs.append((place, NewJob(jids.mint(target.queue, place.index)[0], target.type, body)))
        commands = [
            _command(target, place, job, lock, None) for (place, job), lock in zip(jobs, locks, strict=True)
        ]
        replies: list[Any] = []
        for at in range(0, len(commands), MOST_OPS):  # each job is an op of its own
            some = commands[at : at + MOST_OPS]
            replies += self._cluster.run_many(some, deadline_s=DEADLINE_S, replicas=self._replicas)
        pushed: list[str] = []
        failed: dict[str, GangerError] = {}
        for (place, job), lock, reply in zip(jobs, locks, replies, strict=True):
            try:
                try:
                    answer = unique.parse_push(reply, place, job.jid)
                except Uninitialised:
                    answer = self._ask(target, place, job, lock, None)
                pushed.append(self._outcome(target, place, job, lock, answer))
            except GangerError as error:
                failed[job.jid] = error
        if failed:
            self._raise_first(failed, len(jobs))
        return pushed

    @staticmethod
    def _raise_first(failed: dict[str, GangerError], count: int) -> NoReturn:
        first = next(iter(failed.values()))
        unknown = [jid for jid, error in failed.items() if not isinstance(error, NotUnique)]
        if not unknown or len(failed) == count == 1:
            raise first
        raise OutcomeUnknown(
            f"{len(unknown)} of {count} jobs may not be in: {failed[unknown[0]]}", jids=unknown
        )

    def holder(self, queue: str, lock: Lock) -> str | None:
        """The jid of whoever holds this lock now."""
        places = self._pusher.places(queue)
        found = unique.holder(self._cluster, places[partition_index(lock.digest, len(places))], lock.digest)
        return None if found is None else found[0]

    def _outcome(self, target: Target, place: Partition, job: NewJob, lock: Lock, answer: Answer) -> str:
        """The jid to answer, after whatever a conflict asks for. Raises NotUnique."""
        for _ in range(_TRIES):
            if answer.word != "waiting":
                break
            answer = self._replace(target, place, job, lock, answer)
        if answer.word == "pushed":
            return job.jid
        holder = answer.holder or ""
        if lock.on_conflict == "skip":
            return holder
        how = "is at work and can't be replaced" if lock.on_conflict == "replace" else "holds its lock"
        raise NotUnique(f"{target.type}: job {holder} {how}, so this one was not pushed.", holder=holder)

    def _replace(self, target: Target, place: Partition, job: NewJob, lock: Lock, seen: Answer) -> Answer:
        """The holder waits in ready, or is parked: find its entry, and name it. What has meanwhile moved is
        asked for again."""
        found = find.find(self._cluster, place, seen.holder or "")
        if found is not None and found.state is JobState.WORKING:
            return Answer("held", seen.holder, seen.until_ms)
        old = None
        if found is not None and found.id is not None and found.state in (JobState.READY, JobState.PARKED):
            old = (found.stream, found.id)
        return self._ask(target, place, job, lock, old)

    def _ask(
        self, target: Target, place: Partition, job: NewJob, lock: Lock, old: tuple[int | None, bytes] | None
    ) -> Answer:
        command = _command(target, place, job, lock, old)
        try:
            reply = self._cluster.run(command, deadline_s=DEADLINE_S, replicas=self._replicas)
            try:
                return unique.parse_push(reply, place, job.jid)
            except Uninitialised:
                open_partition(self._cluster, place, deadline_s=DEADLINE_S)
                reply = self._cluster.run(command, deadline_s=DEADLINE_S, replicas=self._replicas)
                return unique.parse_push(reply, place, job.jid)
        except OutcomeUnknown as error:
            if error.jids:  # the partition remembers too little to take it again
                raise
            raise OutcomeUnknown(f"{error} Push it again with jid={job.jid!r}.", jids=[job.jid]) from error


def _command(
    target: Target, place: Partition, job: NewJob, lock: Lock, old: tuple[int | None, bytes] | None
) -> Command:
    return unique.push_command(
        place,
        target.priority,
        job,
        lock.digest,
        lock.ttl_ms,
        delay_ms=target.delay_ms,
        at_ms=target.at_ms,
        replace=lock.on_conflict == "replace",
        old=old,
    )
