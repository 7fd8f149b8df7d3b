"""Settles the dead: what a worker held when it died goes where it belongs, and only then is its death
forgotten.

The steps for one death, each of its own, each idempotent, so that a repeat from the start is harmless
whenever this process, its node or its connection ended in between:

 1. the running entry     failing.fail: retried, buried, discarded or given back, as retry.py decides; one
                          that was cancelled is settled as such
 2. finished entries      settled as succeeded: they have run
 3. unstarted entries     released, no attempt used
 4. the claim under way   closed, so that it can't take anything any more; what it had taken is released
 5. the crash record      by the death's id
 6. DeathSettled          the master forgets it; until then it sends the death again

Crash points. After 1: the entry is gone, and whether this death did that is read off the job (`_late`).
After 2 or 3: a repeat finds the ids gone. In 4, between closing and releasing: closing again names the same
entries, which are still leased to the dead worker's host. After 5: recorded once by id. After 6 nothing is
left to do.

A verdict that comes after the lease was judged lost finds the entry gone: the crash is noted by jid and
counted when the job fails again, or a poison pill would live on by killing its host's coordinator too.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any

import msgspec

from ganger.cluster import Cluster
from ganger.errors import GangerError
from ganger.job import Entry, decode_body
from ganger.keys import Control, Partition
from ganger.operations import claim, control, failing, find, recover, settle
from ganger.retry import Policy
from gangerd import log
from gangerd.messages import Death
from gangerd.recorder import ClaimToken, Held
from gangerd.roles.coordinator.hand_back import as_entry
from gangerd.roles.coordinator.verdicts import by_stream, estate, failure, is_crash_record, record
from gangerd.roles.queues import Place, Queues

DEADLINE_S = 0.6
GONE = "gone"
"""The fate of a job that this death has nothing more to say about."""
_logger = log.get()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the running job, in a word for log and metrics; `errors` are the steps to be
    repeated."""

    fate: str
    errors: list[GangerError]


class Undertaker:
    """`types` is the manifest's table of job types; `host` the name under which this host is known."""

    def __init__(
        self,
        cluster: Cluster,
        keys: Control,
        queues: Queues,
        types: Mapping[str, Mapping[str, Any]],
        host: str,
        rng: Random,
    ) -> None:
        self._cluster = cluster
        self._keys = keys
        self._queues = queues
        self._types = types
        self._host = host
        self._rng = rng

    def bury(self, death: Death) -> Outcome:
        """Do every step that can be done now. A node that is down holds up its own entries only."""
        fate = ""
        errors: list[GangerError] = []
        for step in self._steps(death):
            try:
                fate = step() or fate
            except GangerError as error:
                errors.append(error)
        return Outcome(fate, errors)

    def _steps(self, death: Death) -> Iterator[Callable[[], str | None]]:
        left = estate(death)
        if left.running is not None:
            yield partial(self._job, death, left.running)
        for place, entries in left.settle.items():
            yield partial(self._settle, place, entries)
        for place, entries in left.release.items():
            yield partial(self._release, death, place, entries)
        if death.claim is not None:
            yield partial(self._close_claim, death, death.claim)
        if is_crash_record(death):
            yield partial(self._record, death)

    # ---- the steps -------------------------------------------------------------------------------------

    def _job(self, death: Death, held: Held) -> str:
        partition = self._partition((held.queue, held.partition))
        if partition is None:
            return "unknown queue"
        ref = (held.stream, held.id.encode())
        entry = find.read(self._cluster, partition, [ref], deadline_s=DEADLINE_S)[0]
        if not isinstance(entry, Entry) or entry.jid != held.jid:
            return self._late(death, held, partition)
        if death.cause == "cancelled":
            ids = {held.stream: [held.id.encode()]}
            gone = settle.settle(self._cluster, partition, "cancelled", ids, deadline_s=DEADLINE_S)
            return "cancelled" if gone else GONE
        verdict = failing.fail(
            self._cluster,
            entry,
            death.consumer,
            self._policy(entry),
            failure(death, self._host),
            self._rng,
            deadline_s=DEADLINE_S,
        )
        if verdict.outcome is failing.Outcome.CANCELLED:
            return "cancelled"
        if verdict.outcome is not failing.Outcome.MOVED:
            return self._late(death, held, partition)
        return type(verdict.decision).__name__.lower()

    def _late(self, death: Death, held: Held, partition: Partition) -> str:
        """The entry is not ours any more: moved by this very death before, reported by the worker itself
        before it died, or judged lost. Only the last leaves a crash uncounted."""
        if not death.counts_as_crash:
            return GONE
        found = find.find(self._cluster, partition, held.jid, deadline_s=DEADLINE_S)
        if found is None:
            return GONE
        known = found.record.state.failures
        if any(each.worker == death.worker and each.attempt == held.attempt for each in known):
            return GONE
        recover.note_crash(self._cluster, partition, held.jid, death.id, deadline_s=DEADLINE_S)
        return "noted"

    def _settle(self, place: Place, entries: list[Held]) -> None:
        partition = self._partition(place)
        if partition is not None:
            settle.settle(self._cluster, partition, "succeeded", by_stream(entries), deadline_s=DEADLINE_S)

    def _release(self, death: Death, place: Place, entries: list[Held]) -> None:
        partition = self._partition(place)
        if partition is not None:
            moved = [(as_entry(partition, held), None) for held in entries]
            failing.release(self._cluster, partition, death.consumer, moved, deadline_s=DEADLINE_S)

    def _close_claim(self, death: Death, token: ClaimToken) -> None:
        partition = self._partition((token.queue, token.partition))
        if partition is None:
            return
        taken = claim.close(
            self._cluster, partition, death.consumer, death.worker, token.op, deadline_s=DEADLINE_S
        )
        # What the page shows is settled by what the page says of it.
        shown = {(held.stream, held.id.encode()) for held in death.held}
        entries = [
            Held(token.queue, token.partition, stream, id.decode(), "", "", 0)
            for stream, id in taken
            if (stream, id) not in shown
        ]
        if entries:
            self._release(death, (token.queue, token.partition), entries)

    def _record(self, death: Death) -> None:
        control.record_crash(
            self._cluster, self._keys, death.id, death.cause, record(death, self._host), deadline_s=DEADLINE_S
        )

    # ---- what they need ----------------------------------------------------------------------------------

    def _partition(self, place: Place) -> Partition | None:
        """The partition, also of a queue that this host does not serve any more."""
        found = self._queues.find(place)
        if found is None:
            self._queues.refresh()
            found = self._queues.find(place)
        if found is None:
            _logger.error(log.INTERNAL_ERROR, what="a death names an unknown partition", place=list(place))
        return found

    def _policy(self, entry: Entry) -> Policy:
        """Of the job's type, with what its push overrode. A body that can't be read overrides nothing."""
        known = self._types.get(entry.type, {})
        try:
            return Policy.from_manifest(known, decode_body(entry.body).overrides)
        except (msgspec.DecodeError, msgspec.ValidationError):
            return Policy.from_manifest(known)
