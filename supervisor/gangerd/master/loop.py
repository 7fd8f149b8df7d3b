"""The master's loop: wait, translate what came into events, step the tables, act.

The only place that waits, and never on a child: for signals, channels and the next instant at which something
is due. Signals, deaths, messages and timers all become events here and are handled one after the other. It
touches neither Redis nor the engine nor the app. Called by `ganger run`.
"""

import contextlib
import select
import time
from collections.abc import Callable

from gangerd import log
from gangerd.config import Config
from gangerd.linux import faults, processes, reaping, signals
from gangerd.linux.signals import Meaning
from gangerd.linux.title import Title
from gangerd.master import births, duties, mail, orders, reloading, reserve, spawning
from gangerd.master.cast import Cast, cast_for
from gangerd.master.children import Child
from gangerd.master.lifecycle import ChildState, System
from gangerd.master.tree import Timing, Tree, plant

_log = log.get()


def run(
    config: Config,
    cast: Cast | None = None,
    timing: Timing | None = None,
    reread: Callable[[], Config] | None = None,
) -> int:
    """Be the master until drained or failed; the exit code. Raises OSError when the run directory or the
    machine's limits don't let it begin.

    `reread` tells the settings as they are written when a reload is asked for; without it they stay.
    `cast` and `timing` are for those who test masters."""
    log.configure(config.log_format, config.log_level, role="master")  # type: ignore[arg-type]
    _log.info(log.STARTING, app=config.app, workers=config.workers, run_dir=str(config.run_dir))
    faults.show_on_stderr()
    pipe = signals.install(signals.MEANINGS)
    signals.ignore_own_signals()
    spawning.seal_inherited()
    processes.set_subreaper()
    processes.raise_nofile()
    tree = plant(config, cast or cast_for(config), timing or Timing(), time.monotonic_ns())
    tree.reread = reread
    try:
        Loop(tree, pipe).run()
    finally:
        tree.fence.close()
        log.flush()
    if not len(tree.children):
        tree.recorder.remove()
    return tree.exit_code


class Loop:
    """One master's waiting."""

    def __init__(self, tree: Tree, pipe: int) -> None:
        self._tree = tree
        self._pipe = pipe
        self._epoll = select.epoll(flags=select.EPOLL_CLOEXEC)
        self._epoll.register(pipe, select.EPOLLIN)
        self._listening: dict[int, Child] = {}
        self._turned_ns = time.monotonic_ns()
        self._tick_ns = 0
        self._births_ns: int | None = None
        self._title = Title("ganger: master")
        self._duties = duties.Duties(tree)

    def run(self) -> None:
        tree = self._tree
        self._turn(time.monotonic_ns())
        while tree.system is not System.ENDED:
            for fd in self._wait():
                self._translate(fd, time.monotonic_ns())
            now_ns = time.monotonic_ns()
            self._duties.come_back(now_ns - self._turned_ns, now_ns)
            self._turned_ns = now_ns
            self._turn(now_ns)
        self._duties.close(time.monotonic_ns())

    def _wait(self) -> list[int]:
        """Sleep until a descriptor has something or the next instant has come."""
        now_ns = time.monotonic_ns()
        instants = [self._tick_ns, self._births_ns, self._tree.endings.next_ns]
        until_ns = min(instant for instant in instants if instant is not None)
        return [fd for fd, _ in self._epoll.poll(max(0.0, (until_ns - now_ns) / 1e9))]

    def _translate(self, fd: int, now_ns: int) -> None:
        if fd == self._pipe:
            for number in signals.read():
                meaning = signals.MEANINGS[number]
                if meaning is not Meaning.CHILD:
                    orders.obey(self._tree, meaning, number, now_ns)
            for reaped in reaping.ended_children():
                mail.died(self._tree, reaped, now_ns)
            return
        child = self._listening.get(fd)
        if child is None or not mail.read(self._tree, child, now_ns):
            self._hung_up(fd, child, now_ns)

    def _hung_up(self, fd: int, child: Child | None, now_ns: int) -> None:
        """Nothing more will come from there. Its death is the reaper's news, not the channel's."""
        self._listening.pop(fd, None)
        with contextlib.suppress(OSError, ValueError):
            self._epoll.unregister(fd)
        if child is not None and child.state is ChildState.SPAWNING:
            # All copies of its end are closed, so it is dead or never was: a moment for the template's word.
            child.reason = "it closed its channel before it was ready"
            child.deadline_ns = min(child.deadline_ns or now_ns, now_ns + 1_000_000_000)

    def _turn(self, now_ns: int) -> None:
        tree = self._tree
        if now_ns >= self._tick_ns:
            self._duties.tick(now_ns)
            tick_ms = tree.timing.tick_ms if duties.under_way(tree) else tree.timing.idle_tick_ms
            self._tick_ns = now_ns + tick_ms * 1_000_000
            self._title.show(f"{tree.system.name.lower()}, {tree.in_service()} workers")
        elif tree.endings.next_ns is not None and now_ns >= tree.endings.next_ns:
            tree.endings.tick(tree.children.workers(), now_ns)
        self._duties.move_on(now_ns)
        reloading.turn(tree, now_ns)
        reserve.call_up(tree, now_ns)
        self._births_ns = births.fill(tree, now_ns)
        for child in tree.newborn_mail:
            if child.incarnation in tree.mail:
                fd = tree.post(child).fileno()
                self._listening[fd] = child
                self._epoll.register(fd, select.EPOLLIN)
        tree.newborn_mail.clear()
        mail.deliver_deaths(tree)
