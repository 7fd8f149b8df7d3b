"""From the fork to GO: what a newborn does before it may touch its page or Redis. The worker loop calls.

It becomes a process of its own (session, signals, random state, memory cgroup), says READY and waits. The
master answers GO, or closes the channel when this child is no longer wanted (its template died, its deadline
passed): then it leaves without a trace.
"""

import gc
import os
import random
import select
import signal
import sys
from collections.abc import Callable

from ganger import hooks
from gangerd import application, log, messages
from gangerd.linux import cgroup_leaf, faults, processes, signals, title
from gangerd.linux.channel import Channel, Closed
from gangerd.worker.birth import Birth

OOM_SCORE_ADJ = 500
"""Above the supervisor's: under pressure the kernel takes a job, not the one who can say what happened."""


class HookFailed(Exception):
    """An @on_worker_start hook of the app raised. It is logged."""


def settle_in(birth: Birth, retire: Callable[[], None]) -> Channel[messages.Message] | None:
    """Make this process a worker; None when nobody wants it any more. `retire` is called on SIGTERM.

    Raises HookFailed when a hook of the app does not let it start."""
    _take_signals(retire)
    if not _own_the_process(birth):
        return None
    if birth.import_app:
        application.load(birth.config.app, forking=False)
    try:
        hooks.run_start()
    except Exception as error:
        log.get().exception(log.HOOK_FAILED, error=application.sentence(error), slot=birth.slot)
        raise HookFailed from error
    channel = Channel(birth.channel_fd, messages.encode, messages.decode)
    try:
        channel.send(messages.Ready(birth.incarnation))
        if not _await_go(channel):
            return None
    except Closed:
        return None
    faults.register_dump()
    return channel


def _take_signals(retire: Callable[[], None]) -> None:
    ignored = (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)
    for number in (
        *ignored,
        signal.SIGUSR1,
        signal.SIGUSR2,
        signals.DUMP_SIGNAL,
        signals.SOFT_TIMEOUT_SIGNAL,
    ):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, lambda *_: retire())
    signal.set_wakeup_fd(-1)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def _own_the_process(birth: Birth) -> bool:
    """False when its leaf has been removed: the template died in the middle of this birth, and the master has
    given it up."""
    if os.getsid(0) != os.getpid():
        os.setsid()
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    processes.set_oom_score_adj(OOM_SCORE_ADJ)
    if birth.leaf:
        try:
            cgroup_leaf.join(birth.leaf)
        except FileNotFoundError:
            return False
    faults.enable(birth.crash_fd)
    _reseed()
    gc.enable()
    title.set_title(f"ganger: worker {birth.slot} gen {birth.generation} [born]")
    return True


def _reseed() -> None:
    """Forked siblings share the template's random state; tokens drawn from it would be the same in all."""
    random.seed()
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed(int.from_bytes(os.urandom(4), "little"))


def _await_go(channel: Channel[messages.Message]) -> bool:
    poll = select.poll()
    poll.register(channel.fileno(), select.POLLIN)
    while True:
        poll.poll()
        for message, _ in channel.receive():
            if isinstance(message, messages.Go):
                return True
