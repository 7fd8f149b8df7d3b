"""What every worker would work out for itself after its fork, worked out once in the template: the scripts it
sends, and where the partitions of the app's queues lie (5 to 10 ms a queue, a third of a replacement's time).

The template calls `prepare` through worker.loop, after the app's import and before it freezes its memory.
Talks to nobody: how many partitions a queue really has, a worker learns from the board."""

from collections.abc import Mapping
from typing import Any

from ganger.keys import partitions
from ganger.scripts import script
from gangerd.config import Config

SCRIPTS = (
    "claim",
    "close_claim",
    "settle",
    "release",
    "retry",
    "bury",
    "discard",
    "finish",
    "keep",
    "open_partition",
    "push",
    "schedule",
)


def prepare(config: Config, manifest: Mapping[str, Any]) -> None:
    """Fill the caches that forked workers inherit."""
    for name in SCRIPTS:
        script(name)
    queues = {str(options["queue"]) for options in manifest["types"].values()} | set(config.queues)
    for queue in sorted(queues):
        partitions(config.namespace, queue, config.partitions)
