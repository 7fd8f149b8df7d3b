"""Starting processes: roles by exec, workers by asking the template.

A role is a fresh interpreter that gets numbered descriptors and nothing else of the master's; what it is for
stands in cast.py. Nothing here waits for anyone. Called by births.py.
"""

import contextlib
import json
import os
import signal
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from gangerd.linux import channel, signals
from gangerd.linux.descriptors import keep_over_exec
from gangerd.master.mailbox import Mailbox
from gangerd.messages import Spawn

ENV_FDS = "GANGERD_FDS"
"""JSON: what each inherited descriptor is."""
ENV_MASTER = "GANGERD_MASTER"
"""The master's pid: a child whose parent is another has lost it already."""
ENV_INCARNATION = "GANGERD_INCARNATION"
ENV_ROLE = "GANGERD_ROLE"
ENV_WORKER = "GANGERD_WORKER"
"""For the template: the module whose `main(birth)` a worker is."""


def seal_inherited() -> None:
    """Whatever the shell left open besides 0, 1 and 2 is not for our children."""
    for entry in list(Path("/proc/self/fd").iterdir()):
        if int(entry.name) > 2:
            with contextlib.suppress(OSError):
                os.set_inheritable(int(entry.name), False)


def start_role(
    module: str, shared: Mapping[str, int], incarnation: str, extra: Mapping[str, str]
) -> tuple[int, Mailbox]:
    """Exec a role with these descriptors and a channel; its pid and our end. Raises OSError.

    posix_spawn, not fork: this process has a thread (the log's), and the parent must be its main thread for
    the child's PDEATHSIG. Own session: Ctrl-C at the terminal is for the master alone."""
    ours, theirs = channel.pair()
    mailbox = Mailbox(ours)
    fds = {"channel": theirs.fileno(), **shared}
    env = dict(os.environ)
    env |= {ENV_FDS: json.dumps(fds), ENV_MASTER: str(os.getpid()), ENV_INCARNATION: incarnation, **extra}
    try:
        with _inheritable(fds.values()):
            pid = os.posix_spawn(
                sys.executable,
                [sys.executable, "-P", "-m", module],
                env,
                file_actions=[(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)],
                setsid=True,
                setsigmask=[],
                setsigdef=[*signals.MEANINGS, signal.SIGPIPE],
            )
    except OSError:
        mailbox.close()
        raise
    finally:
        theirs.close()
    return pid, mailbox


@contextlib.contextmanager
def _inheritable(fds: Iterable[int]) -> Iterator[None]:
    numbers = list(fds)
    keep_over_exec(numbers)
    try:
        yield
    finally:
        for fd in numbers:
            os.set_inheritable(fd, False)


def ask_for_worker(template: Mailbox, spawn: Spawn, crash_fd: int) -> Mailbox:
    """Ask the template for a worker; our end of the newborn's channel. Raises OSError (no descriptors)."""
    ours, theirs = channel.pair()
    mailbox = Mailbox(ours, credentials=True)
    template.send(spawn, (crash_fd,), hand_over=theirs)
    return mailbox


def is_child(pid: int) -> bool:
    """True when this is a child of ours that lives or waits to be reaped: nobody else can have its number."""
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True
