"""What batches are owed: the ends of their members and callbacks, and the numbers of batches inside others.

Effect `b:<batch>:<who>` = "<how> <jid>" is a mark; `c:<batch>` = "<number>", in the outbox of the parent,
tells a batch which member of that it is. Both may be delivered again: a mark moves a bit once, a number is
taken once. A batch that is not there any more is told nothing; a child that is not there has failed. What a
batch then owes itself (callbacks, its own parent's mark) is walked at once.
"""

from collections.abc import Callable, Iterable, Sequence

from ganger.cluster import Cluster, Command
from ganger.errors import BadName, BatchNotFound, GangerError
from ganger.keys import BatchKeys
from ganger.operations import batch, outbox
from ganger.operations.outbox import Box, Effect
from gangerd import log

DEADLINE_S = 0.8
MOST_MARKS = 500
"""In one call of the script."""
_logger = log.get()


class Marks:
    """`attend` hears of each outbox that has something in it now."""

    def __init__(
        self, cluster: Cluster, namespace: str, attend: Callable[[Box], None], *, replicas: int = 0
    ) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._attend = attend
        self._replicas = replicas

    def deliver(self, effects: Sequence[Effect]) -> Iterable[Effect]:
        """The marks that their batches have now, or that nobody can have."""
        by_batch: dict[bytes, list[Effect]] = {}
        for effect in effects:
            by_batch.setdefault(effect.target.partition(b":")[0], []).append(effect)
        calls: list[tuple[BatchKeys, list[Effect]]] = []
        for bid, some in by_batch.items():
            keys = self._keys(bid)
            if keys is None:
                yield from some
                continue
            calls += [(keys, some[at : at + MOST_MARKS]) for at in range(0, len(some), MOST_MARKS)]
        commands = [
            batch.mark_command(keys, [(one.target.partition(b":")[2], one.value) for one in some])
            for keys, some in calls
        ]
        for (_, some), told in zip(calls, self._tell(commands, [keys for keys, _ in calls]), strict=True):
            if told is not None:
                yield from some

    def adopt(self, effects: Sequence[Effect]) -> Iterable[Effect]:
        """The children that know their number now. One that is not there has failed for its parent."""
        calls = [(effect, keys) for effect in effects if (keys := self._keys(effect.target)) is not None]
        commands = [batch.adopt_command(keys, _member(effect)) for effect, keys in calls]
        for (effect, keys), told in zip(
            calls, self._tell(commands, [keys for _, keys in calls]), strict=True
        ):
            if told is None:
                continue
            if not told:
                parent, _, number = _member(effect).partition(":")
                failed = batch.mark_command(
                    BatchKeys(self._namespace, parent), [(number, f"failed {keys.bid}")]
                )
                if self._tell([failed], [BatchKeys(self._namespace, parent)]) == [None]:
                    continue
            yield effect

    def _tell(self, commands: Sequence[Command], batches: Sequence[BatchKeys]) -> list[bool | None]:
        """For each: whether it is there and knows; None when it could not be told."""
        replies = self._cluster.run_many(commands, deadline_s=DEADLINE_S, replicas=self._replicas)
        told: list[bool | None] = []
        for keys, reply in zip(batches, replies, strict=True):
            try:
                if batch.parse_owes(reply, keys):
                    self._attend(outbox.box_of(keys))
                told.append(True)
            except BatchNotFound:
                told.append(False)
            except GangerError:
                told.append(None)  # its node is down: the effect stays
        return told

    def _keys(self, bid: bytes) -> BatchKeys | None:
        try:
            return BatchKeys(self._namespace, bid.decode())
        except (BadName, ValueError):
            _logger.error(log.EFFECT_GARBLED, effect=bid.decode("utf-8", "replace"), error="no batch id")
            return None


def _member(effect: Effect) -> str:
    """ "<parent>:<number>" of an adoption: the parent is whose outbox it lies in."""
    parent = effect.box.key.partition(b"{")[2].partition(b"}")[0].decode()
    return f"{parent}:{effect.value.decode().strip()}"
