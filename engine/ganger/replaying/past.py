"""The past of queues, for the Admin: what is kept of it, and the runs over it. Delegates to drive.py."""

from collections.abc import Generator
from typing import Any

from ganger.cluster import Cluster
from ganger.keys import Control
from ganger.operations import retain
from ganger.operations.retain import Retention
from ganger.operations.runs import Kind, Run
from ganger.replaying import drive
from ganger.replaying.drive import Seen


class Past:
    def __init__(self, cluster: Cluster, control: Control) -> None:
        self._cluster = cluster
        self._control = control

    def retained(self, queue: str) -> Retention:
        """What a queue is to keep of its ended jobs."""
        return retain.wanted(self._cluster, self._control).get(queue, Retention())

    def kept(self, queue: str) -> int:
        """How many it keeps now, where its partitions can be reached."""
        return retain.kept(self._cluster, drive.places(self._cluster, self._control, queue))

    def retain(self, queue: str, wanted: Retention) -> dict[int, str]:
        """Have it keep them. Answers the partitions that could not be told yet, and why. Raises BadName."""
        places = drive.places(self._cluster, self._control, queue)
        retain.want(self._cluster, self._control, queue, wanted)
        return retain.apply(self._cluster, places, wanted)

    def order(self, kind: Kind, queue: str, **choice: Any) -> Run:
        """A run not begun yet: from_ms, to_ms, type, hows, into, rate. Raises BadName, BadOptions."""
        return drive.order(self._cluster, self._control, kind, queue, **choice)

    def survey(self, run: Run) -> Seen:
        """What it would take, exactly."""
        return drive.survey(self._cluster, self._control, run)

    def begin(self, run: Run, seen: Seen) -> Generator[Run, None, None]:
        """Do it, while the caller iterates; close the iterator to stop it."""
        return drive.begin(self._cluster, self._control, run, seen)

    def carry_on(self, run: Run) -> Generator[Run, None, None]:
        """Go on with one that was stopped."""
        return drive.carry_on(self._cluster, self._control, run)

    def undo(self, run: Run) -> Generator[Run, None, None]:
        """Take back what of it has not begun, while the caller iterates."""
        return drive.undo(self._cluster, self._control, run)

    def find(self, name: str) -> Run:
        """Raises JobNotFound."""
        return drive.find(self._cluster, self._control, name)

    def runs(self, queue: str | None = None) -> list[Run]:
        """Newest first. Raises BadName for a queue that does not exist."""
        if queue is not None:
            drive.places(self._cluster, self._control, queue)
        return drive.known(self._cluster, self._control, queue)
