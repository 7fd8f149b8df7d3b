"""Administering: everything that `ganger ...` shows and does, for a dashboard or a script, as plain Python.

    with Admin.discover() as admin:
        for letter in admin.dead(JobFilter(queue="mail", cause="segfault"), limit=20): ...
        admin.retry_dead(JobFilter(type="shop.send"), rate=50)

It delegates: inspect.py and the operations do the work. The command line uses the same methods. Each raises
GangerError, with a sentence for people.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Self

from ganger import inspect, letters
from ganger.cluster import Cluster
from ganger.config import EngineConfig
from ganger.errors import JobNotFound
from ganger.keys import Control, Partition
from ganger.lifecycle import JobState
from ganger.listing import ANY, JobFilter
from ganger.operations.kept import Kept


class Admin:
    def __init__(self, cluster: Cluster, control: Control) -> None:
        self._cluster = cluster
        self._control = control

    @classmethod
    def discover(cls, config: EngineConfig | None = None) -> Self:
        """With settings found as a Client finds its own."""
        config = EngineConfig.discover() if config is None else config
        return cls(Cluster(config.redis), Control(config.namespace))

    def close(self) -> None:
        self._cluster.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- dead letters ----------------------------------------------------------------------------------

    def dead(
        self, wanted: JobFilter = ANY, limit: int = 100, *, heads: bool = False
    ) -> Iterator[dict[str, Any]]:
        """The newest that fit, a few in memory at a time; with `heads` without their arguments."""
        return inspect.dead(self._cluster, self._control, wanted, limit, heads=heads)

    def dead_letter(self, jid: str) -> dict[str, Any]:
        """One of them with every failure, and `crash_records`: the post-mortems of the workers that it
        killed. Raises JobNotFound."""
        document = inspect.job(self._cluster, self._control, jid)
        if document["state"] != JobState.DEAD:
            raise JobNotFound(f"{jid} is no dead letter: it is {document['state']}.")
        return document | {"crash_records": inspect.crashes_of(self._cluster, self._control, jid)}

    def count_dead(self, wanted: JobFilter = ANY) -> dict[str, int]:
        """How many fit, per queue."""
        return letters.count(self._cluster, self._places(wanted), wanted)

    def retry_dead(self, wanted: JobFilter = ANY, *, rate: float | None = None) -> Iterator[int]:
        """Send all that fit back to their queues, at most `rate` a second, while the caller iterates: yields
        how many went, chunk by chunk. Left half-way, the next call goes on: what went is dead no more."""
        act = letters.send_back
        return letters.each(self._cluster, self._places(wanted), act, wanted, rate=rate)

    def delete_dead(self, wanted: JobFilter = ANY) -> Iterator[int]:
        """Delete all that fit for ever, while the caller iterates."""
        return letters.each(self._cluster, self._places(wanted), letters.delete, wanted)

    def retry_letters(self, jids: Sequence[str]) -> int:
        """Send these back. Raises JobNotFound, with nothing done, when one of them is no dead letter."""
        return sum(letters.send_back(self._cluster, [letter]) for letter in self._letters(jids))

    def delete_letters(self, jids: Sequence[str]) -> int:
        """Delete these for ever. Raises JobNotFound, with nothing done, when one of them is no dead
        letter."""
        return sum(letters.delete(self._cluster, [letter]) for letter in self._letters(jids))

    def _places(self, wanted: JobFilter) -> list[Partition]:
        return inspect.chosen(self._cluster, self._control, wanted.queue)

    def _letters(self, jids: Sequence[str]) -> list[Kept]:
        found = []
        for jid in jids:
            seen = inspect.locate(self._cluster, self._control, jid)
            if seen.state != JobState.DEAD:
                raise JobNotFound(f"{jid} is no dead letter: it is {seen.state}.")
            found.append(Kept(seen.partition, jid, seen.dead_at_ms or 0, seen.record))
        return found
