"""What is due becomes ready: every partition each second, and to the moment where a job is due before that.

Lua compares and moves; asking twice, or by two leaders, moves nothing twice. The reply says when the next
job is due, and that moment is kept in a heap, so a retry in 200 ms does not wait for the round.
"""

from collections.abc import Sequence

from ganger.cluster import Cluster, Command
from ganger.errors import GangerError
from ganger.keys import Partition
from ganger.operations import schedule
from gangerd.roles.loop import MS
from gangerd.roles.timers import Timers

DEADLINE_S = 0.8
HORIZON_MS = 1_500
"""What is due later than this, the next round finds in time."""


class Promotion:
    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._due: Timers[Partition] = Timers()

    def commands(self, partitions: Sequence[Partition]) -> list[Command]:
        return [schedule.promote_command(partition) for partition in partitions]

    def heard(self, partition: Partition, reply: object, now_ns: int) -> int:
        """Take note of one reply; how many jobs became ready. Raises GangerError."""
        promoted = schedule.parse_promote(reply, partition)
        due_ms = promoted.next_due_in_ms
        if due_ms is None or due_ms > HORIZON_MS:
            self._due.cancel(partition)
        else:
            # The node counts whole milliseconds: ask in the one after.
            self._due.set(partition, now_ns + (due_ms + 1 if due_ms else 0) * MS)
        return promoted.count

    def next_ns(self) -> int | None:
        return self._due.next_ns()

    def promote_due(self, now_ns: int) -> int:
        """Promote where something is due by now; how many jobs became ready."""
        partitions = self._due.pop_due(now_ns)
        if not partitions:
            return 0
        count = 0
        replies = self._cluster.run_many(self.commands(partitions), deadline_s=DEADLINE_S)
        for partition, reply in zip(partitions, replies, strict=True):
            try:
                count += self.heard(partition, reply, now_ns)
            except GangerError:
                continue  # the round comes within a second
        return count

    def forget(self) -> None:
        """We are not the leader any more."""
        self._due = Timers()
