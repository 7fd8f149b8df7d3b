"""The master's own account of itself: the status file, and the answer to USR2.

Only what the master knows without asking anyone, so that `ganger status` has something to say when Redis is
down. Writing the file is status_file.py's business. Called by the loop's duties.
"""

import os
from typing import Any

from gangerd import log
from gangerd.linux import faults
from gangerd.master.children import Child
from gangerd.master.tree import Tree

DUMP_WAIT_NS = 200_000_000
"""How long workers are given to write the stacks that were asked for."""

UNCHANGED_NS = 5_000_000_000
"""How old the status file becomes while nothing but ages and memory changes."""

_log = log.get()


def write(tree: Tree, now_ns: int) -> None:
    """Write what has changed, at most once a second (status_file.py sees to that), and what has not now and
    then: renaming a file over another costs milliseconds on some file systems."""
    if tree.status_file.due(now_ns):
        shown = _what_matters(tree)
        if shown != tree.status_shown or now_ns - tree.status_written_ns >= UNCHANGED_NS:
            tree.status_shown, tree.status_written_ns = shown, now_ns
            tree.status_file.write(compose(tree, now_ns), now_ns)
    if tree.dumps_due_ns is not None and now_ns >= tree.dumps_due_ns:
        tree.dumps_due_ns = None
        _log_stacks(tree)


def _what_matters(tree: Tree) -> tuple[object, ...]:
    children = tuple((child.incarnation, child.pid, child.state, child.detail) for child in tree.children)
    said = tuple(tree.last_error.items())
    reload = (tree.generations.phase, tree.generations.asks, tree.generations.answered, tree.outcome.state)
    return tree.system, tree.quiet, tree.wanted, tree.restarts.total, len(tree.deaths), said, children, reload


def compose(tree: Tree, now_ns: int) -> dict[str, Any]:
    """The whole account as plain data: instants in wall milliseconds, durations in ms."""
    return {
        "at_ms": tree.wall_ms(),
        "pid": os.getpid(),
        "incarnation": tree.incarnation,
        "state": tree.system.name.lower(),
        "quiet": tree.quiet,
        "generation": tree.generations.current,
        "reload": _reload(tree),
        "fence": tree.fence.kind,
        "workers_wanted": tree.wanted,
        "workers": [_line(tree, child, now_ns) for child in tree.children.workers()],
        "roles": [_line(tree, child, now_ns) for child in tree.children.roles()],
        "restarts": tree.restarts.total,
        "held_back": tree.restarts.held_back(now_ns),
        "undelivered_deaths": len(tree.deaths),
        "log_lines_dropped": log.dropped(),
        "last_errors": dict(tree.last_error),
    }


def _reload(tree: Tree) -> dict[str, Any]:
    """`asks` counts the HUPs, `answered` those whose reload has ended; `outcome` is the last one's, or
    "under way"."""
    outcome = tree.outcome
    return {
        "phase": tree.generations.phase.value,
        "asks": tree.generations.asks,
        "answered": tree.generations.answered,
        "outcome": outcome.state,
        "generation": outcome.generation,
        "error": outcome.error,
        "at_ms": outcome.at_ms,
        "took_ms": outcome.took_ms,
        "in_older_generations": len(tree.outdated()),
    }


def _line(tree: Tree, child: Child, now_ns: int) -> dict[str, Any]:
    line: dict[str, Any] = {
        "role": child.role,
        "pid": child.pid,
        "incarnation": child.incarnation,
        "generation": child.generation,
        "state": child.state.name.lower(),
        "for_ms": (now_ns - child.since_ns) // 1_000_000,
        "detail": child.detail,
    }
    if child.is_worker:
        line |= {"slot": child.slot, "rss_bytes": tree.memory.rss_bytes(child.incarnation)}
    return line


def _log_stacks(tree: Tree) -> None:
    """What the workers wrote. One that is being ended keeps its stack for its post-mortem."""
    for child in tree.children.workers():
        if (
            child.served_ns
            and tree.endings.intent(child.incarnation) is None
            and tree.endings.next_ns is None
        ):
            stack = faults.read_and_truncate(tree.seat(child).crash_fd)
            _log.info(log.STATE_DUMPED, slot=child.slot, child=child.pid, stack=stack or "no stack came")
