"""`python -m gangerd.roles.health`: the process; server.py is what it does."""

import json
import os
import signal
import sys
from collections.abc import Mapping

from gangerd import log, messages
from gangerd.config import EXIT_FAILED, Config
from gangerd.linux import processes, title
from gangerd.linux.channel import Channel
from gangerd.roles.health.server import NAME, Server


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
    return Server(channel, config.health, fds["recorder"]).serve()


if __name__ == "__main__":
    sys.exit(main())
