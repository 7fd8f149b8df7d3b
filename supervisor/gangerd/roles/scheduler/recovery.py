"""Brings back what the lost held: leases that stood still for a whole lease, as the judge saw it.

The judge decides that a lease has run out, retry.py what a lost delivery means (again, or after too many of
them the dead letters), recover.lua checks the very delivery once more and moves it. Crash points: between
reading the entry and moving it nothing has happened; after it the lease is gone.
"""

from random import Random

from ganger.cluster import Cluster, Command
from ganger.errors import GangerError
from ganger.job import BLANK, Entry, Garbled
from ganger.keys import Partition
from ganger.operations import find, recover
from ganger.retry import Bury, Failure, Policy, Recover, decide
from gangerd import log
from gangerd.roles.scheduler.judge import Judge

DEADLINE_S = 0.8
MIN_IDLE_MS = 500
"""Younger leases are not even listed: on a busy queue they are nearly all. Less where leases are short."""
_logger = log.get()


class Recovery:
    def __init__(self, cluster: Cluster, lease_ms: int, rng: Random) -> None:
        self._cluster = cluster
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
        try:
            seen = recover.parse_leases(reply, partition)
        except GangerError:
            self._judge.forget(partition)
            raise
        node = self._cluster.node_of(partition.slot, deadline_s=DEADLINE_S)
        expired = self._judge.look(partition, node, seen.leases, now_ns)
        return sum(self._recover(lease) for lease in expired)

    def forget(self) -> None:
        """We are not the leader any more: what we saw proves nothing when we are it again."""
        self._judge.forget_all()

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
        return moved

    def _set_aside(self, lease: recover.Lease, garbled: Garbled) -> bool:
        """What is no job would only be claimed and lost again: to the dead letters, with its bytes."""
        name = f"garbled-{lease.id.decode('ascii', 'replace')}"
        entry = Entry(lease.partition, lease.stream, lease.id, name, "garbled", BLANK, b"")
        moved = recover.recover(self._cluster, lease, entry, BLANK, bury=True, deadline_s=DEADLINE_S)
        _logger.error(log.LEASE_JUDGED, jid=name, queue=lease.partition.queue, error=garbled.reason)
        return moved
