"""A parcel: jobs on their way from one slot into a partition in another, as an outbox keeps them.

The slot that owes them writes the parcel; the producer at once, or else the scheduler, delivers it, and the
target's memo knows it by its name for a day, so that a second delivery adds nothing. As bytes:

    <first> <queue> <partition> <partitions> <priority> <when> <amount> <batch>\\n
    <jid> <type> <bytes of state> <bytes of body>\\n<state><body>      and so on for each job

`first` is the number of the first job in its batch, `-` for jobs that are no members; `when` is now, in (a
delay in ms) or at (an instant). A script can write one as well, and any bytes survive. No I/O.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

from ganger.command import Command
from ganger.keys import Partition, partitions
from ganger.label import with_member
from ganger.operations import enqueue
from ganger.operations.enqueue import NewJob

PREFIX = b"j"
"""What the effects that are parcels begin with."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """Jobs for one partition, priority and moment."""

    partition: Partition
    partitions: int
    """Of the queue: what leads to the same partition again."""
    priority: int
    jobs: tuple[NewJob, ...]
    delay_ms: int | None = None
    at_ms: int | None = None
    batch: str | None = None
    first: int | None = None

    @property
    def name(self) -> str:
        """By which its target knows it."""
        return self.jobs[0].jid

    def numbered(self, first: int) -> Self:
        """The same with the number that its batch gave to its first job."""
        return replace(self, first=first)

    def owed(self) -> bytes:
        """As an outbox holds it."""
        return (b"- " if self.first is None else b"%d " % self.first) + self.encode()

    def encode(self) -> bytes:
        """What follows `first` and its space: that is known to the batch alone."""
        when = ("now", 0)
        if self.at_ms is not None:
            when = ("at", self.at_ms)
        elif self.delay_ms is not None:
            when = ("in", self.delay_ms)
        place = self.partition
        head = f"{place.queue} {place.index} {self.partitions} {self.priority} {when[0]} {when[1]}"
        parts = [f"{head} {self.batch or '-'}\n".encode()]
        for job in self.jobs:
            parts.append(f"{job.jid} {job.type} {len(job.state)} {len(job.body)}\n".encode())
            parts += (job.state, job.body)
        return b"".join(parts)

    def command(self, delivery: str | None = None) -> Command:
        """The push of all its jobs, its members labelled; `delivery`: the name that its target
        remembers."""
        delivery = delivery or self.name
        jobs: Sequence[NewJob] = self.jobs
        if self.first is not None:
            jobs = [
                job._replace(body=with_member(job.body, f"{self.batch}:{self.first + place}"))
                for place, job in enumerate(jobs)
            ]
        if self.delay_ms is None and self.at_ms is None:
            return enqueue.push_command(self.partition, self.priority, jobs, delivery=delivery)
        return enqueue.schedule_command(
            self.partition,
            self.priority,
            jobs,
            delay_ms=self.delay_ms,
            at_ms=self.at_ms,
            delivery=delivery,
        )


def decode(namespace: str, value: bytes) -> Parcel:
    """Raises ValueError, BadName among them, for bytes that are none."""
    line, _, rest = value.partition(b"\n")
    first, queue, index, count, priority, when, amount, batch = line.decode().split(" ")
    jobs = []
    while rest:
        line, _, rest = rest.partition(b"\n")
        jid, type, state_bytes, body_bytes = line.decode().split(" ")
        cut = int(state_bytes)
        end = cut + int(body_bytes)
        jobs.append(NewJob(jid, type, rest[cut:end], rest[:cut]))
        rest = rest[end:]
    places = partitions(namespace, queue, int(count))
    if not jobs or not 0 <= int(index) < len(places):
        raise ValueError("a parcel without a job or for a partition that there is not")
    return Parcel(
        partition=places[int(index)],
        partitions=int(count),
        priority=int(priority),
        jobs=tuple(jobs),
        delay_ms=int(amount) if when == "in" else None,
        at_ms=int(amount) if when == "at" else None,
        batch=None if batch == "-" else batch,
        first=None if first == "-" else int(first),
    )
