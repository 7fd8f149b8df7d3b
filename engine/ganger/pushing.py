"""Pushing: bodies of one type into the partitions of a queue. The client's lower half.

Jobs go round robin, from a random start, past partitions whose node is down or turns us away. What surely
never ran there (`_ELSEWHERE`) is tried in another partition under another jid; what may have run is reported
with its jids, which are safe to push again. Safe for threads.
"""

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from ganger import jid as jids
from ganger.calls import open_partition
from ganger.clock import monotonic_s
from ganger.cluster import Cluster
from ganger.command import Command
from ganger.durability import patience_s
from ganger.errors import (
    BadOptions,
    ClusterUnavailable,
    GangerError,
    NodeDown,
    OutcomeUnknown,
    Uninitialised,
    WrongPassword,
)
from ganger.keys import Control, Partition, partitions
from ganger.operations import control, enqueue
from ganger.operations.enqueue import NewJob

MIN_CHUNK = 16
MAX_CHUNK_BYTES = 4 << 20
MOST_OPS = 48
"""In one trip: a memo knows the last 64 of a producer, so each of them may be repeated."""
DEADLINE_S = 10.0
_TRY_S = 3.0
_ELSEWHERE = (NodeDown, ClusterUnavailable, WrongPassword)
"""One node is down, has no free connection, or another password; the others may take the job."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where jobs go and when: neither delay nor instant means now."""

    queue: str
    priority: int
    type: str
    delay_ms: int | None = None
    at_ms: int | None = None


class JobSink(Protocol):
    """Where a client's jobs go: into a queue, or into a batch (members.py)."""

    def push_one(self, target: Target, body: bytes, *, jid: str | None = None) -> str: ...
    def push_many(self, target: Target, bodies: Sequence[bytes]) -> list[str]: ...


class Pusher:
    def __init__(self, cluster: Cluster, namespace: str, *, replicas: int = 0) -> None:
        self._cluster = cluster
        self._control = Control(namespace)
        self._replicas = replicas
        self._counts: dict[str, int] = {}
        self._turn = itertools.count(random.SystemRandom().randrange(1 << 16))

    def push_one(self, target: Target, body: bytes, *, jid: str | None = None) -> str:
        """The jid of the job. The same jid again is a no-op for ten minutes. Raises BadOptions for a jid of
        another queue; OutcomeUnknown with .jids when it may or may not be in."""
        if jid is not None:
            place = self.place_of(target.queue, jid)
            self._send(target, place, [NewJob(jid, target.type, body)], DEADLINE_S)
            return jid
        return self._push_anywhere(target, [body])[0]

    def _push_anywhere(self, target: Target, bodies: Sequence[bytes]) -> list[str]:
        """All into one partition of a node that takes them, in one op; their jids."""
        until_s = monotonic_s() + DEADLINE_S
        places = self._candidates(target.queue)
        place = next(places)
        while True:
            minted = jids.mint(target.queue, place.index, len(bodies))
            jobs = [NewJob(jid, target.type, body) for jid, body in zip(minted, bodies, strict=True)]
            left_s = max(until_s - monotonic_s(), 1.0)
            try:
                self._send(target, place, jobs, min(_TRY_S + patience_s(self._replicas), left_s))
                return minted
            except _ELSEWHERE:
                following = next(places, None)
                if following is None or monotonic_s() > until_s:
                    raise
                place = following

    def reserve(self, queue: str) -> str:
        """A jid for `push_one`, made before the push."""
        return jids.reserve(queue, next(self._candidates(queue)).index)

    def push_many(self, target: Target, bodies: Sequence[bytes]) -> list[str]:
        """The jids, in the order of the bodies. One trip to all nodes at once, or several when there are very
        many. Raises OutcomeUnknown with the jids of the jobs that may or may not be in; the others are in.
        Any other error: none is."""
        chunks = self.spread(target, bodies)
        pushed: list[str] = []
        failed: dict[str, GangerError] = {}
        for at in range(0, len(chunks), MOST_OPS):
            some = chunks[at : at + MOST_OPS]
            commands = [self._command(target, place, jobs) for place, jobs in some]
            replies = self._cluster.run_many(commands, deadline_s=DEADLINE_S, replicas=self._replicas)
            for (place, jobs), reply in zip(some, replies, strict=True):
                self._finish(target, place, jobs, reply, pushed, failed)
        if not failed:
            return pushed
        first = next(iter(failed.values()))
        if not pushed and not any(isinstance(error, OutcomeUnknown) for error in failed.values()):
            raise first  # none is in
        raise OutcomeUnknown(
            f"{len(failed)} of {len(bodies)} jobs may not be in, the others are: {first}", jids=list(failed)
        )

    def spread(
        self, target: Target, bodies: Sequence[bytes], *, most_bytes: int = MAX_CHUNK_BYTES
    ) -> list[tuple[Partition, list[NewJob]]]:
        """Which jobs go where: even parts, each of one op, in the order of the bodies; to nodes that are down
        or turn us away only when all do."""
        turn = list(self._in_turn(target.queue))
        places = itertools.cycle([place for place in turn if not self._avoids(place.slot)] or turn)
        chunks: list[tuple[Partition, list[NewJob]]] = []
        for part in _chunks(bodies, self._count(target.queue), most_bytes):
            place = next(places)
            minted = jids.mint(target.queue, place.index, len(part))
            jobs = [NewJob(jid, target.type, body) for jid, body in zip(minted, part, strict=True)]
            chunks.append((place, jobs))
        return chunks

    def _finish(
        self,
        target: Target,
        place: Partition,
        jobs: list[NewJob],
        reply: object,
        pushed: list[str],
        failed: dict[str, GangerError],
    ) -> None:
        """Take note of a chunk's reply; whatever can still be done for it is done. What fails for one chunk
        is not raised here: the caller must hear which jobs are in."""
        try:
            try:
                enqueue.parse_push(reply, place, jobs)
            except Uninitialised:
                self._send(target, place, jobs, DEADLINE_S)
            pushed += [job.jid for job in jobs]
        except _ELSEWHERE as error:
            self._elsewhere(target, jobs, error, pushed, failed)
        except GangerError as error:
            failed.update({job.jid: error for job in jobs})

    def _elsewhere(
        self,
        target: Target,
        jobs: list[NewJob],
        why: GangerError,
        pushed: list[str],
        failed: dict[str, GangerError],
    ) -> None:
        """Into another partition, under other jids. Once that has failed for one chunk, it is not tried for
        the rest: each may take seconds."""
        names = [job.jid for job in jobs]
        if failed:
            failed.update(dict.fromkeys(names, why))
            return
        try:
            pushed += self._push_anywhere(target, [job.body for job in jobs])
        except OutcomeUnknown as error:
            failed.update(dict.fromkeys(error.jids or names, error))
        except GangerError as error:
            failed.update(dict.fromkeys(names, error))

    def _command(self, target: Target, place: Partition, jobs: list[NewJob]) -> Command:
        if target.delay_ms is None and target.at_ms is None:
            return enqueue.push_command(place, target.priority, jobs)
        return enqueue.schedule_command(
            place, target.priority, jobs, delay_ms=target.delay_ms, at_ms=target.at_ms
        )

    def _send(self, target: Target, place: Partition, jobs: list[NewJob], deadline_s: float) -> None:
        command = self._command(target, place, jobs)
        names = [job.jid for job in jobs]
        try:
            reply = self._cluster.run(command, deadline_s=deadline_s, replicas=self._replicas)
            try:
                enqueue.parse_push(reply, place, jobs)
            except Uninitialised:
                open_partition(self._cluster, place, deadline_s=deadline_s)
                reply = self._cluster.run(command, deadline_s=deadline_s, replicas=self._replicas)
                enqueue.parse_push(reply, place, jobs)
        except OutcomeUnknown as error:
            if error.jids:  # the partition remembers too little to take it again
                raise
            raise OutcomeUnknown(f"{error} Push it again with jid={names[0]!r}.", jids=names) from error

    def places(self, queue: str) -> tuple[Partition, ...]:
        """The partitions of the queue, by index."""
        return partitions(self._control.namespace, queue, self._count(queue))

    def _count(self, queue: str) -> int:
        """Partitions of the queue: fixed by its first push, so it is asked for once. Raises NodeDown when
        nobody answers, never OutcomeUnknown."""
        count = self._counts.get(queue)
        if count is None:
            try:
                count = control.register_queue(self._cluster, self._control, queue)
            except OutcomeUnknown as error:  # of the queue alone: no job has left yet
                raise NodeDown(f"{error} Nothing was pushed: try again.") from error
            self._counts[queue] = count
        return count

    def _candidates(self, queue: str) -> Iterator[Partition]:
        """All partitions from the next one on, those on nodes that are down or turn us away last. Lazily: the
        first will do."""
        down = []
        for place in self._in_turn(queue):
            if self._avoids(place.slot):
                down.append(place)
            else:
                yield place
        yield from down

    def _in_turn(self, queue: str) -> Iterator[Partition]:
        """All partitions from the next one on."""
        places, start = self.places(queue), next(self._turn)
        for step in range(len(places)):
            yield places[(start + step) % len(places)]

    def _avoids(self, slot: int) -> bool:
        return self._cluster.is_down(slot) or self._cluster.turns_away(slot)

    def place_of(self, queue: str, jid: str) -> Partition:
        """The partition that the jid names. Raises BadOptions for a jid of another queue."""
        jids.check(jid)
        places, index = self.places(queue), jids.partition_of(jid)
        if jids.queue_digest_of(jid) != jids.digest(queue) or index >= len(places):
            raise BadOptions(f"jid {jid} was not made for queue {queue}.")
        return places[index]


def _chunks(bodies: Sequence[bytes], spread: int, most_bytes: int) -> Iterator[list[bytes]]:
    """Parts for one partition each: even, bounded in number and bytes."""
    size = min(max(-(-len(bodies) // spread), MIN_CHUNK), jids.MAX_PER_OP)
    part: list[bytes] = []
    weight = 0
    for body in bodies:
        if part and (len(part) >= size or weight + len(body) > most_bytes):
            yield part
            part, weight = [], 0
        part.append(body)
        weight += len(body)
    if part:
        yield part
