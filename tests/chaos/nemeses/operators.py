"""An operator who pauses a queue in the middle of it all, and some seconds later lets it go on.

It harms nothing: what was promised to whoever pauses is checked (serving.py) while others do harm. The record
has each request and each answer (pauses.py). A queue that could not be resumed, or that a request which
arrives late has paused after all, is resumed at the next strike, or at the end.
"""

import random
import time
from contextlib import closing

from chaos.kinds import NAMESPACE, QUEUES
from chaos.nemesis import Nemesis, NotNow, Stage
from chaos.pauses import NAME
from ganger import pausing
from ganger.cluster import Cluster
from ganger.errors import GangerError
from ganger.keys import Control
from ganger.operations import pause

SHORTEST_S, LONGEST_S = 4.0, 12.0
LATE_S = 6.0
"""A request of which nobody knows the outcome lies in the socket of a node that stands still, no longer than
this."""
PATIENCE_S = 30.0
"""With a cluster that answers nobody; others mend it."""
_CONTROL = Control(NAMESPACE)


class PauseQueue:
    name = NAME
    every_s = 12.0
    branches = frozenset[str]()

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def strike(self, rng: random.Random, queue: str = "") -> None:
        queue = queue or rng.choice(QUEUES)
        for_s = rng.uniform(SHORTEST_S, LONGEST_S)
        with closing(self._cluster()) as cluster:
            try:
                self._resume_all(cluster)
            except GangerError as error:
                raise NotNow("nobody can say what is paused") from error
            was_heard = self._pause(cluster, queue)
            time.sleep(for_s)
            self._resume(cluster, queue)
            if not was_heard:
                time.sleep(LATE_S)
                self._resume(cluster, queue)

    def heal(self) -> None:
        self._stage.cluster.mend()
        with closing(self._cluster()) as cluster:
            self._resume_all(cluster)

    def _cluster(self) -> Cluster:
        return Cluster(self._stage.cluster.settings())

    def _pause(self, cluster: Cluster, queue: str) -> bool:
        """Whether it was answered."""
        self._stage.note("pauses a queue", queue=queue)
        try:
            spread = pausing.pause_queue(cluster, _CONTROL, queue, "an operator")
        except GangerError:
            return False
        self._stage.note("paused a queue", queue=queue, reached=[place.index for place in spread.reached])
        return True

    def _resume_all(self, cluster: Cluster) -> None:
        """Whatever is paused. Raises GangerError when nobody can say what is."""
        for queue in pause.wishes(cluster, _CONTROL).queues:
            self._resume(cluster, queue)

    def _resume(self, cluster: Cluster, queue: str) -> None:
        """Asked until it is answered, or for long enough."""
        until_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < until_s:
            self._stage.note("resumes a queue", queue=queue)
            try:
                spread = pausing.resume_queue(cluster, _CONTROL, queue)
            except GangerError:
                time.sleep(0.5)
                continue
            self._stage.note("resumed a queue", queue=queue, missed=len(spread.missed))
            return


def nemeses(stage: Stage) -> list[Nemesis]:
    return [PauseQueue(stage)]
