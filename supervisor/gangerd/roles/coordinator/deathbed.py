"""The deaths that wait to be settled: each is tried until it is, with pauses, none held up by another.

A death whose settling fails in a way that no repetition cures is set aside after a few tries: it is logged,
the master may forget it, and its leases run out by themselves. The coordinator's loop calls `work`.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from ganger.errors import ScriptFailed
from gangerd import log
from gangerd.messages import Death
from gangerd.roles.coordinator.burial import GONE, Outcome, Undertaker
from gangerd.roles.loop import MS
from gangerd.roles.timers import Timers

FIRST_PAUSE_MS, LONGEST_PAUSE_MS = 50, 1_000
HOPELESS_TRIES = 5
REMEMBERED = 1_000
_logger = log.get()


@dataclass(slots=True)
class _Case:
    """A death, how often it was tried, how often in vain for ever, and what has become of its job."""

    death: Death
    tries: int = 0
    hopeless: int = 0
    fate: str = ""


class Deathbed:
    """`settled(death, fate)` is called once a death is in Redis, again for one that the master sends
    again."""

    def __init__(self, undertaker: Undertaker, settled: Callable[[Death, str], None]) -> None:
        self._undertaker = undertaker
        self._settled = settled
        self._waiting: dict[str, _Case] = {}
        self._due: Timers[str] = Timers()
        self._done: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def arrived(self, death: Death) -> None:
        """A death from the master, perhaps not for the first time."""
        if death.id in self._done:
            self._settled(death, "")
        elif death.id not in self._waiting:
            self._waiting[death.id] = _Case(death)
            self._due.set(death.id, time.monotonic_ns())

    def work(self) -> int | None:
        """Try one death that is due; when to call again (monotonic ns), None when nothing waits."""
        now_ns = time.monotonic_ns()
        due = self._due.pop_due(now_ns)
        if due:
            self._try(due[0])
            for other in due[1:]:
                self._due.set(other, now_ns)
        return self._due.next_ns()

    def _try(self, id: str) -> None:
        case = self._waiting[id]
        try:
            outcome = self._undertaker.bury(case.death)
        except Exception as error:
            # A death that can't be settled must not stop those that can.
            _logger.exception(log.INTERNAL_ERROR, death=id)
            outcome = Outcome("", [ScriptFailed(repr(error))])
        case.fate = case.fate or ("" if outcome.fate == GONE and outcome.errors else outcome.fate)
        if not outcome.errors:
            self._finish(case.death, case.fate)
            return
        case.hopeless += any(isinstance(error, ScriptFailed) for error in outcome.errors)
        if case.hopeless >= HOPELESS_TRIES:
            _logger.error(log.DEATH_SET_ASIDE, death=id, error=str(outcome.errors[0]))
            self._finish(case.death, case.fate or "set aside")
            return
        pause_ms = min(FIRST_PAUSE_MS << min(case.tries, 10), LONGEST_PAUSE_MS)
        case.tries += 1
        if case.tries == 4:
            _logger.warning(log.DEATH_WAITS, death=id, worker=case.death.worker, error=str(outcome.errors[0]))
        self._due.set(id, time.monotonic_ns() + pause_ms * MS)

    def _finish(self, death: Death, fate: str) -> None:
        del self._waiting[death.id]
        self._done[death.id] = None
        while len(self._done) > REMEMBERED:
            del self._done[next(iter(self._done))]
        self._settled(death, fate)
