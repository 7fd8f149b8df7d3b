"""All endings of the host's workers: the looks, the knocks and the signals that ending.py and deadlines.py
call for.

The master's loop calls `tick` each 100 ms, and at `next_ns` while an ending is under way. Nothing here
blocks. Which cause a death then has is found out at the burial, from the intents kept here."""

import contextlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gangerd import log
from gangerd.linux import faults, processes, reaping
from gangerd.linux.signals import SOFT_TIMEOUT_SIGNAL
from gangerd.master import ending
from gangerd.master.children import Child
from gangerd.master.deadlines import Due, Gaps, Look, judge, look
from gangerd.master.ending import RELEASED, TIMEOUT, Ending, Event, Intent, Phase, Target
from gangerd.master.lifecycle import ChildState
from gangerd.master.seats import Seat

_WATCHED = (ChildState.SERVING, ChildState.RETIRING)


@dataclass(slots=True)
class _Watch:
    """What is known of one incarnation beyond its page."""

    ending: Ending | None = None
    intent: Intent | None = None
    knocked_run: int = 0
    knocked_at_ns: int = 0
    stuck: bool = False


class Endings:
    def __init__(self, seats: Sequence[Seat]) -> None:
        self._seats = seats
        self._gaps = Gaps()
        self._watches: dict[str, _Watch] = {}
        self._log = log.get()
        self.next_ns: int | None = None
        """The earliest instant a tick is wanted before the ordinary one; None while nothing is under way."""

    def tick(self, workers: Iterable[Child], now_ns: int) -> None:
        """Look at each worker that serves or retires: knock where a soft deadline has passed, begin an ending
        where a hard one has, and carry on with the endings under way."""
        self.next_ns = None
        for child in workers:
            if not child.pid:
                continue
            watch = self._watches.get(child.incarnation)
            if watch is not None and watch.ending is not None:
                self._step(child, watch, self._sight(child, watch.ending, now_ns))
                self._wish(watch, now_ns)
            elif child.state in _WATCHED:
                self._judge(child, now_ns)

    def end(self, child: Child, cause: str, now_ns: int, run_seq: int | None = None) -> None:
        """End the run under way for this cause, or nothing if it is not `run_seq` any more; with "released",
        end the worker, whatever it does. Asking again changes nothing."""
        seat = self._seats[child.slot]
        seen = look(seat.page)
        under_way = seen.run_seq if seen.incarnation == child.incarnation else 0
        if not child.pid or (cause != RELEASED and not under_way) or run_seq not in (None, under_way):
            return
        target = Target(child.pid, child.incarnation, 0 if cause == RELEASED else under_way, cause)
        watch = self._watch(child)
        self._step(child, watch, ending.Order(target, now_ns, faults.size(seat.crash_fd)))
        self._wish(watch, now_ns)

    def moved(self, gap_ns: int, now_ns: int) -> None:
        """The master was away for so long: runs that were under way get the time back."""
        self._gaps.moved(gap_ns, now_ns)

    def intent(self, incarnation: str) -> Intent | None:
        """What was meant to end this worker, if we sent it SIGKILL."""
        watch = self._watches.get(incarnation)
        return watch.intent if watch is not None else None

    def stuck(self, incarnation: str) -> bool:
        """It answers no signal (uninterruptible sleep): its slot can't be counted on for now."""
        watch = self._watches.get(incarnation)
        return watch is not None and watch.stuck

    def forget(self, incarnation: str) -> None:
        """It is reaped and buried."""
        self._watches.pop(incarnation, None)

    def _judge(self, child: Child, now_ns: int) -> None:
        seen = look(self._seats[child.slot].page)
        if seen.incarnation != child.incarnation or not seen.run_seq:
            return
        watch = self._watches.get(child.incarnation)
        knocked = watch.knocked_at_ns if watch is not None and watch.knocked_run == seen.run_seq else None
        match judge(seen, knocked, now_ns, self._gaps.allowance_ns(seen.started_ns)):
            case Due.KNOCK:
                self._knock(child, seen, now_ns)
            case Due.END:
                self.end(child, TIMEOUT, now_ns)

    def _knock(self, child: Child, seen: Look, now_ns: int) -> None:
        watch = self._watch(child)
        watch.knocked_run, watch.knocked_at_ns = seen.run_seq, now_ns
        _send(child.pid, SOFT_TIMEOUT_SIGNAL)

    def _sight(self, child: Child, under_way: Ending, now_ns: int) -> Event:
        """What is to be seen of it now. The page is read only after the stop is known."""
        seat = self._seats[child.slot]
        if under_way.phase is Phase.FREEZING and reaping.stopped(child.pid):
            seen = look(seat.page)
            return ending.Stopped(now_ns, seen, self._gaps.allowance_ns(seen.started_ns))
        late = now_ns - under_way.since_ns >= ending.STOP_WAIT_NS
        state = "D" if late and processes.is_uninterruptible(child.pid) else ""
        return ending.Tick(now_ns, faults.size(seat.crash_fd), state)

    def _step(self, child: Child, watch: _Watch, event: Event) -> None:
        watch.ending, actions = ending.step(watch.ending, event)
        for action in actions:
            match action:
                case ending.Signal(pid, number):
                    _send(pid, number)
                case ending.WriteIntent(intent):
                    watch.intent = intent
                    self._say(child, log.JOB_ENDED, cause=intent.cause, run=intent.run_seq)
                case ending.EmptyCrashFile():
                    faults.read_and_truncate(self._seats[child.slot].crash_fd)
                    self._say(child, log.JOB_SPARED)
                case ending.Report(problem, text, stuck):
                    watch.stuck = stuck
                    self._log.error(
                        log.WORKER_STUCK, worker=child.incarnation, pid=child.pid, problem=problem, text=text
                    )

    def _say(self, child: Child, event: str, **fields: object) -> None:
        self._log.info(event, worker=child.incarnation, slot=child.slot, pid=child.pid, **fields)

    def _watch(self, child: Child) -> _Watch:
        return self._watches.setdefault(child.incarnation, _Watch())

    def _wish(self, watch: _Watch, now_ns: int) -> None:
        if watch.ending is not None and watch.ending.phase is not Phase.KILLED:
            self.next_ns = now_ns + ending.POLL_NS


def _send(pid: int, number: int) -> None:
    """To a child of ours that is not reaped yet, so the pid can't be anybody else's."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
