"""Brings back what the lost held: leases that stood still for a whole lease, as the judge saw it.

The judge decides that a lease has run out, retry.py what a lost delivery means (again, or after too many of
them the dead letters), recover.lua checks the very delivery once more and moves it, and the loss is kept
where `ganger crashes` looks. Crash points: between reading the entry and moving it nothing has happened;
after it the lease is gone and counted, and only the line for people may be missing.
"""

import time
from random import Random

from ganger.cluster import Cluster, Command
from ganger.errors import GangerError
from ganger.job import BLANK, Entry, Garbled
from ganger.keys import Control, Partition
from ganger.operations import control, find, recover
from ganger.retry import Bury, Failure, Policy, Recover, decide
from gangerd import log
from gangerd.roles.loop import MS
from gangerd.roles.scheduler.judge import Judge

DEADLINE_S = 0.8
MIN_IDLE_MS = 500
"""Younger leases are not even listed: on a busy queue they are nearly all. Less where leases are short."""
_logger = log.get()


class Recovery:
    def __init__(self, cluster: Cluster, keys: Control, lease_ms: int, rng: Random) -> None:
        self._cluster = cluster
        self._keys = keys
        self._judge = Judge(lease_ms)
        self._rng = rng
        self._min_idle_ms = min(MIN_IDLE_MS, lease_ms // 30)

    @property
    def watches(self) -> bool:
        """Whether any lease is under observation: then look often."""
        return self._judge.watches

    def command(self, partition: Partition) -> Command:
        return recover.leases_command(partition, self._min_idle_ms)

    def heard(self, partition: Partition, reply: object, now_ns: int) -> int:
        """Judge one look at a partition and bring back what is lost; how many entries. Raises GangerError."""
        seen = recover.parse_leases(reply, partition)
        node = self._cluster.node_of(partition.slot, deadline_s=DEADLINE_S)
        expired = self._judge.look(partition, node, seen.leases, now_ns)
        return sum(self._recover(lease) for lease in expired)

    def _recover(self, lease: recover.Lease) -> bool:
        partition = lease.partition
        found = find.read(self._cluster, partition, [(lease.stream, lease.id)], deadline_s=DEADLINE_S)[0]
        if found is None:
            return False
        if isinstance(found, Garbled):
            return self._set_aside(lease, found)
        failure = Failure("lost", message=f"{lease.consumer} let its lease run out", host=lease.consumer)
        decision = decide(Policy(), found.state, failure, self._rng)
        assert isinstance(decision, Recover | Bury)
        bury = isinstance(decision, Bury)
        moved = recover.recover(self._cluster, lease, found, decision.state, bury=bury, deadline_s=DEADLINE_S)
        if moved:
            _logger.warning(
                log.LEASE_JUDGED,
                jid=found.jid,
                type=found.type,
                queue=partition.queue,
                holder=lease.consumer,
                lost=decision.state.lost,
                becomes="dead" if bury else "ready",
            )
            self._record(lease, found)
        return moved

    def _record(self, lease: recover.Lease, entry: Entry) -> None:
        """A host that is gone can't tell what it ran; what is known of it is kept like a post-mortem."""
        try:
            control.record_crash(
                self._cluster,
                self._keys,
                f"lease-{lease.partition.tag}-{lease.id.decode()}",
                "lost",
                lost_record(lease, entry, time.time_ns() // MS),
                deadline_s=DEADLINE_S,
            )
        except GangerError as error:
            _logger.warning(log.REDIS_DOWN, jid=entry.jid, error=str(error))

    def _set_aside(self, lease: recover.Lease, garbled: Garbled) -> bool:
        """What is no job would only be claimed and lost again: to the dead letters, with its bytes."""
        name = f"garbled-{lease.id.decode('ascii', 'replace')}"
        entry = Entry(lease.partition, lease.stream, lease.id, name, "garbled", BLANK, b"")
        moved = recover.recover(self._cluster, lease, entry, BLANK, bury=True, deadline_s=DEADLINE_S)
        _logger.error(log.LEASE_JUDGED, jid=name, queue=lease.partition.queue, error=garbled.reason)
        return moved


def lost_record(lease: recover.Lease, entry: Entry, at_ms: int) -> dict[str, object]:
    """The fields of `ganger crashes` for a job whose host let its lease run out; what nobody knows is
    blank."""
    return {
        "jid": entry.jid,
        "type": entry.type,
        "queue": lease.partition.queue,
        "attempt": entry.state.attempt,
        "cause": "lost",
        "signal": None,
        "exit_code": None,
        "worker": "",
        "pid": 0,
        "host": lease.consumer,
        "generation": 0,
        "at_ms": at_ms,
        "ran_ms": 0,
        "peak_rss_bytes": 0,
        "stack": "",
        "evidence": [f"The host {lease.consumer} stopped renewing its lease, so it is taken for gone."],
    }
