"""What this host tells the cluster of itself: its workers as the pages show them, its job types.

Composes only; the coordinator sends it each second. Rows have the fields that `ganger workers --json`
promises.
"""

from collections.abc import Callable, Sequence
from typing import Any

from gangerd.config import Config
from gangerd.page import Page, PageGarbled, Snapshot
from gangerd.recorder import Phase
from gangerd.roles.loop import MS

RssOf = Callable[[int], int | None]


def row(seen: Snapshot, slot: int, host: str, rss_of: RssOf, now_ns: int, wall_ms: int) -> dict[str, Any]:
    """One worker. `now_ns` and `wall_ms` are the same moment on the monotonic and on the wall clock."""
    running = seen.held[seen.running] if seen.running is not None else None
    since_ns = seen.run_started_ns if running else seen.since_ns
    return {
        "host": host,
        "pid": seen.pid,
        "slot": slot,
        "generation": seen.generation,
        "state": "running" if running else _STATES.get(seen.phase, "unknown"),
        "jid": running.jid if running else None,
        "type": running.type if running else None,
        "queue": running.queue if running else None,
        "attempt": running.attempt if running else None,
        "since_ms": wall_ms - (now_ns - since_ns) // MS,
        "rss_bytes": rss_of(seen.pid),
        "worker": seen.incarnation,
    }


def workers(pages: list[Page], host: str, rss_of: RssOf, now_ns: int, wall_ms: int) -> list[dict[str, Any]]:
    """Every slot that somebody lives in; a page that can't be read is told as such."""
    rows: list[dict[str, Any]] = []
    for slot, page in enumerate(pages):
        if page.phase == Phase.VACANT:
            continue
        try:
            rows.append(row(page.snapshot(), slot, host, rss_of, now_ns, wall_ms))
        except PageGarbled as error:
            rows.append({"host": host, "slot": slot, "state": "garbled", "error": str(error)})
    return rows


def status(
    config: Config,
    pid: int,
    rows: list[dict[str, Any]],
    queues: list[str],
    limits: Sequence[dict[str, Any]] = (),
) -> dict[str, Any]:
    """The whole heartbeat."""
    return {
        "host": config.host,
        "app": config.app,
        "coordinator_pid": pid,
        "slots": config.workers,
        "queues": queues,
        "workers": rows,
        "limits": list(limits),
    }


_STATES = {phase.value: phase.name.lower() for phase in Phase}
