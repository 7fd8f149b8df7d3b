"""What a death means for each entry its worker held: sorted by what the page said at the reap.

PURE. burial.py carries it out. The page's word decides, not what is likely: an entry that is DONE has run
and is settled as a success, never run again; HELD and TAKEN never started and go back without an attempt
used; only the STARTED one died with its worker, and the retry policy says what becomes of it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from ganger.retry import Failure
from gangerd.messages import Death
from gangerd.recorder import EntryState, Held
from gangerd.roles.queues import Place

NO_CRASHES = frozenset({"released", "cancelled", "permit_lost"})
"""Causes that are nobody's crash: the drain, or somebody's word, ended what ran."""


@dataclass(frozen=True, slots=True)
class Estate:
    """What a dead worker leaves: by place, so that each partition is one command."""

    settle: dict[Place, list[Held]] = field(default_factory=dict)
    release: dict[Place, list[Held]] = field(default_factory=dict)
    running: Held | None = None


def estate(death: Death) -> Estate:
    """Sort what was held. A death whose page could not be read leaves nothing: its leases run out by
    themselves."""
    if death.garbled or len(death.states) != len(death.held):
        return Estate()
    settle: dict[Place, list[Held]] = {}
    release: dict[Place, list[Held]] = {}
    running: Held | None = None
    for entry, state in zip(death.held, death.states, strict=True):
        if state == EntryState.DONE:
            settle.setdefault((entry.queue, entry.partition), []).append(entry)
        elif state in (EntryState.HELD, EntryState.TAKEN):
            release.setdefault((entry.queue, entry.partition), []).append(entry)
        elif state == EntryState.STARTED:
            running = entry
    return Estate(settle, release, running)


def by_stream(entries: Iterable[Held]) -> dict[int, list[bytes]]:
    """Ids by stream index, of entries of one partition: how operations want them."""
    ids: dict[int, list[bytes]] = {}
    for entry in entries:
        ids.setdefault(entry.stream, []).append(entry.id.encode())
    return ids


def failure(death: Death, host: str) -> Failure:
    """The death as the failure of the job that ran."""
    return Failure(
        cause=death.cause,
        error=_error(death),
        message=_message(death),
        at_ms=death.at_ms,
        ran_ms=death.ran_ms,
        host=host,
        worker=death.worker,
        stack=death.stack,
        peak_rss_bytes=death.peak_rss_bytes if death.peak_of == "job" else 0,
        evidence=death.evidence[0] if death.evidence else "",
        generation=death.generation,
        uses_attempt=death.uses_attempt,
        counts_as_crash=death.counts_as_crash,
    )


def is_crash_record(death: Death) -> bool:
    """Whether it belongs into the list that `ganger crashes` shows: a job was running and did not end
    well."""
    return death.running is not None and death.cause not in NO_CRASHES


def record(death: Death, host: str) -> dict[str, object]:
    """The post-mortem of a death inside a job, with the fields that `ganger crashes --json` promises."""
    held = death.held[death.running] if death.running is not None else None
    return {
        "id": death.id,
        "jid": held.jid if held else "",
        "type": held.type if held else "",
        "queue": held.queue if held else "",
        "attempt": held.attempt if held else 0,
        "cause": death.cause,
        "signal": death.signal,
        "exit_code": death.exit_code,
        "worker": death.worker,
        "slot": death.slot,
        "pid": death.pid,
        "host": host,
        "generation": death.generation,
        "at_ms": death.at_ms,
        "ran_ms": death.ran_ms,
        "peak_rss_bytes": death.peak_rss_bytes,
        "peak_of": death.peak_of,
        "rusage": death.rusage,
        "stack": death.stack,
        "evidence": death.evidence,
    }


def _error(death: Death) -> str:
    if death.signal is not None:
        return f"signal {death.signal}"
    return f"exit {death.exit_code}" if death.exit_code is not None else death.cause


def _message(death: Death) -> str:
    if death.cause == "lost":
        return "the host or its master was gone while the job ran"
    return f"the worker (pid {death.pid}) died while it ran this job"
