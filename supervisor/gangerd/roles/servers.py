"""The servers role: keeps the embedded servers of a run, first up and last down.

A process of its own, so that the master neither waits for servers nor speaks to them. It reports ready when
the cluster is whole, starts a dead server again, and on Drain has each write out its data and leave. When
other servers run in the directory already it is their guest, and takes over when their keeper leaves. It
never connects to the cluster as a client; embedded/fleet.py does the work."""

import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from gangerd import log, messages
from gangerd.config import EXIT_FAILED, Config
from gangerd.embedded import binary
from gangerd.embedded.fleet import Fleet
from gangerd.errors import GangerdError
from gangerd.linux import processes, title
from gangerd.linux.channel import Channel, Closed
from gangerd.messages import Drain, Message, RoleFailed, RoleReady
from gangerd.roles.loop import LeaveLoop, Loop

NAME = "servers"
WATCH_MS = 250
_logger = log.get()


class Servers:
    """The role's state: its fleet, and the master at the other end of the channel."""

    def __init__(self, channel: Channel[Message], fleet: Fleet) -> None:
        self._channel = channel
        self._fleet = fleet
        self.loop = Loop()

    def serve(self) -> int:
        """Until Drain or the master's end; the exit code."""
        try:
            kept = self._fleet.join_or_start()
        except (GangerdError, OSError) as error:
            code = error.exit_code if isinstance(error, GangerdError) else EXIT_FAILED
            self._channel.send(RoleFailed(NAME, str(error), code))
            return code
        whose = f"pids {', '.join(map(str, self._fleet.pids))}" if kept else "those of another process"
        _logger.info(log.EMBEDDED_STARTED, servers=whose)
        self._channel.send(RoleReady(NAME, f"embedded servers: {whose}"))
        self.loop.watch(self._channel.fileno(), self._receive)
        self.loop.every("care", WATCH_MS, self._care)
        try:
            return self.loop.run()
        finally:
            self._fleet.stop()
            _logger.info(log.EMBEDDED_STOPPED)
            log.flush()

    def _receive(self) -> None:
        try:
            arrived = self._channel.receive()
        except Closed:
            raise LeaveLoop(EXIT_FAILED) from None
        if any(isinstance(message, Drain) for message, _ in arrived):
            raise LeaveLoop(0)

    def _care(self) -> None:
        if self._fleet.kept:
            for sentence in self._fleet.watch():
                _logger.warning(log.ROLE_DIED, role=NAME, what=sentence)
        elif self._fleet.take_over():
            _logger.info(log.EMBEDDED_STARTED, servers="taken over from a process that left")


def main(environ: Mapping[str, str] = os.environ) -> int:
    if not processes.die_with_parent(int(environ.get("GANGERD_MASTER", os.getppid()))):
        return EXIT_FAILED
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE, signal.SIGTSTP):
        signal.signal(number, signal.SIG_IGN)
    fds: dict[str, int] = json.loads(environ["GANGERD_FDS"])
    for fd in fds.values():
        os.set_inheritable(fd, False)
    config = Config.load_fd(fds["config"])
    log.configure(config.log_format, config.log_level, role=NAME)  # type: ignore[arg-type]
    title.set_title(f"ganger: {NAME}")
    channel = Channel(fds["channel"], messages.encode, messages.decode)
    return Servers(channel, Fleet(Path(config.dir), binary.find)).serve()


if __name__ == "__main__":
    sys.exit(main())
