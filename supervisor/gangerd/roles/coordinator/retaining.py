"""What queues keep of their ended jobs, as this host's settings say it.

The settings win over what the command said before, once, when a coordinator starts; afterwards the command
wins. They are in the partitions before the board names any queue, so that no job of this host ends unheard;
a partition out of reach then is told by the leading scheduler (its retaining.py), which also trims. Called by
service.py.
"""

from collections.abc import Mapping

from ganger.cluster import Cluster
from ganger.keys import Control
from ganger.operations import retain
from ganger.operations.retain import Retention
from gangerd.roles.queues import Queues

DEADLINE_S = 0.8


def declare(
    cluster: Cluster,
    keys: Control,
    queues: Queues,
    settings: Mapping[str, tuple[int, int]],
    partitions: int,
) -> None:
    """Put the settings into Redis, the queues with them where they are new. Raises GangerError: then all of
    it is to be called again."""
    queues.register(settings, partitions)
    for queue, (age_ms, count) in settings.items():
        wanted = Retention(age_ms, count)
        retain.want(cluster, keys, queue, wanted, deadline_s=DEADLINE_S)
        retain.apply(cluster, queues.of(queue), wanted, deadline_s=DEADLINE_S)
