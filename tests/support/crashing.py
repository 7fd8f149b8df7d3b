"""A transport that dies: before a script is sent, or after it has run and before its reply is read.

`Crash` is no Exception, so nothing in the engine can take it for an error of Redis and go on.
"""

from collections.abc import Sequence
from typing import Any

from ganger.cluster import Cluster, Command


class Crash(BaseException):
    """The process is gone; what it had sent may have run."""


class CrashingCluster(Cluster):
    """`arm` makes one of the next calls its last."""

    _left = 0
    _after = False
    crashes = 0

    def arm(self, calls: int, *, after: bool) -> None:
        """Crash at the so-manyth call from now (1 = the next), before or after it has run."""
        self._left, self._after = calls, after

    def disarm(self) -> None:
        self._left = 0

    def run(self, command: Command, **given: Any) -> Any:
        last = self._counted()
        reply = super().run(command, **given)
        return self._answered(last, reply)

    def run_many(self, commands: Sequence[Command], **given: Any) -> Any:
        last = self._counted()
        reply = super().run_many(commands, **given)
        return self._answered(last, reply)

    def _counted(self) -> bool:
        if self._left == 0:
            return False
        self._left -= 1
        if self._left:
            return False
        if not self._after:
            self._die()
        return True

    def _answered(self, last: bool, reply: Any) -> Any:
        if last:
            self._die()
        return reply

    def _die(self) -> None:
        self.crashes += 1
        raise Crash
