"""Pushing into a batch: jobs become members, numbered and kept by the batch before they go to their queues.

Crash points of a push. Before `batch_add` nothing has happened. It numbers the jobs and keeps them as parcels
in the batch's outbox, in one script: from there on they are members and will run. Pushed or not, cleared or
not, whatever dies here: the scheduler delivers what the outbox still holds, and a partition knows a parcel
that it has had. So what can't be delivered now (a node is down) is no error of the push. A lost reply is
asked for again under the same op, and answers the same numbers.
"""

from collections.abc import Iterator, Sequence
from itertools import islice

from msgspec.structs import replace

from ganger.calls import open_partition
from ganger.cluster import Cluster
from ganger.command import Command
from ganger.errors import BadOptions, GangerError, OutcomeUnknown, Uninitialised
from ganger.keys import BatchKeys, Partition
from ganger.label import encode, split
from ganger.operations import batch, enqueue, outbox
from ganger.operations.batch import NewEffect
from ganger.operations.outbox import Effect
from ganger.parcel import PREFIX, Parcel, decode
from ganger.pushing import DEADLINE_S, Pusher, Target

PARCEL_BYTES = 1 << 20
MOST_PARCELS = 8
"""In one call of the script: at most 4,000 jobs and some megabytes."""


class Members:
    """The way into one batch for a client's jobs."""

    def __init__(self, cluster: Cluster, pusher: Pusher, keys: BatchKeys, *, replicas: int = 0) -> None:
        self._cluster = cluster
        self._pusher = pusher
        self._keys = keys
        self._replicas = replicas

    def push_one(self, target: Target, body: bytes, *, jid: str | None = None) -> str:
        """The jid. Raises BatchNotFound, BatchClosed; OutcomeUnknown when it may or may not be a member."""
        if jid is not None:
            raise BadOptions("a member of a batch is pushed once; it can't have the jid of an earlier push.")
        return self.push_many(target, [body])[0]

    def push_many(self, target: Target, bodies: Sequence[bytes]) -> list[str]:
        """The jids, in the order of the bodies. When it fails half-way, the error tells how many are in."""
        parcels = parcels_of(self._pusher, target, bodies, self._keys.bid)
        pushed: list[str] = []
        arrived: list[Parcel] = []
        while group := list(islice(parcels, MOST_PARCELS)):
            try:
                added = self._add(group, arrived)
            except GangerError as error:
                if not pushed:
                    raise
                raise OutcomeUnknown(
                    f"{len(pushed)} of {len(bodies)} jobs are in batch {self._keys.bid}, the rest may not be:"
                    f" {error}"
                ) from error
            arrived = self._deliver(added)
            pushed += [job.jid for parcel in group for job in parcel.jobs]
        self._tick_off(arrived)
        return pushed

    def deliver_owed(self) -> None:
        """Deliver the jobs that the batch's outbox holds: a commit may have fired callbacks."""
        box = outbox.box_of(self._keys)
        reply = self._cluster.run(outbox.page_command(box), deadline_s=DEADLINE_S)
        _, effects = outbox.parse_page(reply, box)
        prefix = PREFIX + b":"
        owed = [one for one in effects if one.name.startswith(prefix)]
        self._tick_off(self._deliver([decode(self._keys.namespace, one.value) for one in owed]))

    def reserve(self, name: str, jid: str) -> int:
        """The number of a member that is no job; `name` is the effect that the scheduler sees to if the
        caller doesn't."""
        command = batch.add_command(self._keys, jid, [NewEffect(name, 1, b"")])
        return batch.parse_add(self._cluster.run(command, replicas=self._replicas), self._keys)

    def _add(self, parcels: Sequence[Parcel], arrived: Sequence[Parcel]) -> list[Parcel]:
        """The parcels, numbered. The clearing of those before travels along."""
        effects = [NewEffect(f"j:{each.name}", len(each.jobs), each.encode()) for each in parcels]
        commands = [*self._clearing(arrived), batch.add_command(self._keys, parcels[0].name, effects)]
        replies = self._cluster.run_many(commands, deadline_s=DEADLINE_S, replicas=self._replicas)
        number = batch.parse_add(replies[-1], self._keys)
        if not isinstance(replies[0], Exception):
            self._note(arrived)
        numbered = []
        for each in parcels:
            numbered.append(each.numbered(number))
            number += len(each.jobs)
        return numbered

    def _deliver(self, parcels: Sequence[Parcel]) -> list[Parcel]:
        """Those that have arrived."""
        commands = [each.command() for each in parcels]
        replies = self._cluster.run_many(commands, deadline_s=DEADLINE_S, replicas=self._replicas)
        arrived: list[Parcel] = []
        for each, command, reply in zip(parcels, commands, replies, strict=True):
            try:
                try:
                    enqueue.parse_push(reply, each.partition, each.jobs)
                except Uninitialised:
                    open_partition(self._cluster, each.partition, deadline_s=DEADLINE_S)
                    again = self._cluster.run(command, deadline_s=DEADLINE_S, replicas=self._replicas)
                    enqueue.parse_push(again, each.partition, each.jobs)
            except GangerError:
                continue  # the scheduler's now
            arrived.append(each)
        return arrived

    def _tick_off(self, arrived: Sequence[Parcel]) -> None:
        """The batch owes them no more. What fails here, the scheduler does."""
        replies = self._cluster.run_many(self._clearing(arrived), deadline_s=DEADLINE_S)
        if replies and not isinstance(replies[0], Exception):
            self._note(arrived)

    def _clearing(self, arrived: Sequence[Parcel]) -> list[Command]:
        box = outbox.box_of(self._keys)
        effects = [Effect(box, f"j:{each.name}".encode(), each.owed()) for each in arrived]
        return [outbox.clear_command(box, effects)] if effects else []

    def _note(self, cleared: Sequence[Parcel]) -> None:
        """Their partitions need not know them for a day."""
        if not cleared:
            return
        by_partition: dict[Partition, list[str]] = {}
        for each in cleared:
            by_partition.setdefault(each.partition, []).append(each.name)
        commands = [enqueue.delivered_command(place, names) for place, names in by_partition.items()]
        self._cluster.run_many(commands, deadline_s=DEADLINE_S)


class Draft:
    """Takes the job of a callback and makes a parcel of it, which the batch keeps until its time comes."""

    def __init__(self, pusher: Pusher, bid: str, which: str) -> None:
        self._pusher = pusher
        self._bid = bid
        self._which = which
        self.parcel: Parcel | None = None

    def push_one(self, target: Target, body: bytes, *, jid: str | None = None) -> str:
        label, rest = split(body)
        # The end of a batch is told, however late.
        label = replace(label, member=f"{self._bid}:{self._which}", expires_in_ms=None)
        (self.parcel,) = parcels_of(self._pusher, target, [encode(label) + rest])
        return self.parcel.name

    def push_many(self, target: Target, bodies: Sequence[bytes]) -> list[str]:
        return [self.push_one(target, body) for body in bodies]


def parcels_of(
    pusher: Pusher, target: Target, bodies: Sequence[bytes], bid: str | None = None
) -> Iterator[Parcel]:
    """The jobs of one push as parcels, in order."""
    count = len(pusher.places(target.queue))
    for place, jobs in pusher.spread(target, bodies, most_bytes=PARCEL_BYTES):
        yield Parcel(place, count, target.priority, tuple(jobs), target.delay_ms, target.at_ms, bid)
