"""From a reaped worker to its Death: evidence is collected, judged, logged and spooled; then its place is
clean.

Called by the master at the reap, before the slot is used again. What the evidence means is said by
postmortem/; what becomes of the jobs is the coordinator's work. Nothing here fails a burial: what can't be
read is missing evidence, and a garbled page is set aside for people to look at (the leases of what it held
run out by themselves)."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gangerd import log
from gangerd.board import Board
from gangerd.linux import faults
from gangerd.linux.reaping import Reaped
from gangerd.master import leftovers, remains
from gangerd.master.autopsy import Autopsy
from gangerd.master.children import Child
from gangerd.master.deaths import Deaths
from gangerd.master.ending import CANCELLED, PERMIT_LOST, RELEASED
from gangerd.master.endings import Endings
from gangerd.master.memory_watch import MemoryWatch
from gangerd.master.remains import Remains
from gangerd.master.seats import Seat
from gangerd.messages import Death
from gangerd.postmortem import report
from gangerd.postmortem.evidence import Evidence
from gangerd.postmortem.verdict import Verdict, judge

KEPT_PAGES = 16


@dataclass(frozen=True, slots=True)
class Burial:
    """`death` is None for a worker that left in order and owed nothing; `in_job`: a job died with it;
    `counters` are its last."""

    death: Death | None
    in_job: bool
    cause: str
    counters: list[int]


class Undertaker:
    """`consumer` is the master's incarnation, under which the workers claim."""

    def __init__(
        self,
        seats: Sequence[Seat],
        *,
        consumer: str,
        endings: Endings,
        memory: MemoryWatch,
        board: Board,
        deaths: Deaths,
        run_dir: Path,
        host: str = "",
    ) -> None:
        self._seats = seats
        self._consumer = consumer
        self._endings = endings
        self._memory = memory
        self._autopsy = Autopsy(seats, endings, memory, host or os.uname().nodename)
        self._board = board
        self._deaths = deaths
        self._run_dir = run_dir
        self._log = log.get()

    def bury(self, child: Child, reaped: Reaped, *, at_ms: int, now_ns: int) -> Burial:
        """Everything to be done for a worker that was just reaped. The death is in the spool before the
        page is wiped: a master killed in between leaves one or the other."""
        seat = self._seats[child.slot]
        left = remains.read(seat.page, child.incarnation, self._board)
        if left.garbled:
            self._set_aside(seat, child, left.garbled)
        notes = self._end_leftovers(child, seat)
        stack = faults.read_and_truncate(seat.crash_fd)
        death, cause = None, "left"
        if not (child.in_order and reaped.exit_code == 0 and not left.owed and not left.garbled):
            found = self._autopsy.examine(child, reaped, left, stack, at_ms, now_ns, notes)
            verdict = judge(found)
            death, cause = compose(found, verdict, left, self._consumer), verdict.cause
            tell = self._log.info if cause in (RELEASED, CANCELLED, PERMIT_LOST) else self._log.error
            # `pid` of a line is its writer's; who died is the child, as in every other line of the master.
            record = report.record(found, verdict)
            tell(log.WORKER_DIED, told=report.sentence(found, verdict), child=record.pop("pid"), **record)
            self._deaths.add(death)
        seat.page.wipe()
        self._endings.forget(child.incarnation)
        self._memory.forget(child.incarnation)
        return Burial(death, left.running is not None, cause, left.counters)

    def _end_leftovers(self, child: Child, seat: Seat) -> tuple[str, ...]:
        """Processes that its jobs started and nobody waits for any more. Before GO it had no session."""
        if not child.served_ns:
            return ()
        pids = leftovers.end(child.pid, seat.leaf)
        if not pids:
            return ()
        self._log.warning(log.WORKER_LEFTOVERS, worker=child.incarnation, slot=child.slot, pids=pids)
        left = "a process" if len(pids) == 1 else f"{len(pids)} processes"
        return (f"It left {left} behind, ended with it.",)

    def _set_aside(self, seat: Seat, child: Child, why: str) -> None:
        path = self._run_dir / f"garbled-page-{child.incarnation}"
        self._log.error(log.PAGE_GARBLED, worker=child.incarnation, slot=child.slot, why=why, file=str(path))
        try:
            path.write_bytes(bytes(seat.page.bytes))
            kept = sorted(self._run_dir.glob("garbled-page-*"), key=lambda each: each.stat().st_mtime_ns)
            for old in kept[:-KEPT_PAGES]:
                old.unlink()
        except OSError as error:
            self._log.error(log.PAGE_GARBLED, worker=child.incarnation, why=f"it can't be kept: {error}")


def compose(found: Evidence, verdict: Verdict, left: Remains, consumer: str) -> Death:
    """The message for the coordinator. Of a garbled page nothing is held."""
    return Death(
        id=found.worker,
        consumer=consumer,
        worker=found.worker,
        slot=found.slot,
        pid=found.pid,
        generation=found.generation,
        at_ms=found.at_ms,
        cause=verdict.cause,
        uses_attempt=verdict.uses_attempt,
        counts_as_crash=verdict.counts_as_crash,
        signal=verdict.signal,
        exit_code=verdict.exit_code,
        evidence=verdict.evidence,
        stack=report.stack(found),
        ran_ms=found.run.ran_ms if found.run else 0,
        peak_rss_bytes=found.peak_rss_bytes,
        peak_of=found.peak_of,
        rusage=report.rusage(found),
        held=left.held,
        states=left.states,
        running=left.running,
        claim=left.claim,
        counters=left.counters,
        garbled=left.garbled,
    )
