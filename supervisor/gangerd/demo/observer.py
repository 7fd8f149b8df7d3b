"""What the demo reads from the system it examines: the same documents as the looking commands print."""

from typing import Any

from ganger import inspect
from ganger.calls import structures
from ganger.cluster import Cluster
from ganger.command import Command
from ganger.config import EngineConfig
from ganger.keys import Control

MOST = 1000


class Observer:
    """One namespace, seen from outside."""

    def __init__(self, config: EngineConfig) -> None:
        self._cluster = Cluster(config.redis)
        self._control = Control(config.namespace)

    def crashes(self) -> list[dict[str, Any]]:
        return inspect.crashes(self._cluster, self._control, MOST)

    def dead(self) -> list[str]:
        return [str(letter["jid"]) for letter in inspect.dead(self._cluster, self._control, limit=MOST)]

    def totals(self) -> dict[str, Any]:
        return inspect.totals(self._cluster, self._control)

    def left(self) -> int:
        """Jobs in any structure but the dead letters."""
        found = inspect.queues(self._cluster, self._control).values()
        return sum(queue["ready"] + queue["later"] + queue["in_flight"] for queue in found)

    def clear(self) -> None:
        """Remove the namespace's every key: nothing stays behind on servers that are not the demo's own."""
        commands = [
            Command(part.slot, ("UNLINK", *structures(part)))
            for group in inspect.all_partitions(self._cluster, self._control).values()
            for part in group
        ]
        control = self._control
        keys = (control.types, control.hosts, control.leader, control.crashes, control.crash_records)
        commands.append(Command(control.slot, ("UNLINK", control.catalog, control.totals, *keys)))
        self._cluster.run_many(commands)

    def close(self) -> None:
        self._cluster.close()
