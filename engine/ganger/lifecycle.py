"""The states of a job, the moves between them, and the counter that each move advances. Pure.

    scheduled --due--> ready --claim--> working --ok--> gone
        ^                ^                 |--failed--> retrying --due--> ready
        |                |                 |              `--used up--> dead | gone
      push(at)         push()              |--released, lost--> ready (returned)
                                           `--expired, cancelled--> gone

Each move is one script, and the script that makes it advances its counters, so the sums below are exact.
"""

from collections.abc import Mapping
from enum import StrEnum


class JobState(StrEnum):
    """Where a job is, as `ganger job show` says it."""

    SCHEDULED = "scheduled"
    RETRYING = "retrying"
    READY = "ready"
    PARKED = "parked"
    WORKING = "working"
    DEAD = "dead"
    DONE = "done"
    """Ended, and in the log of a queue that retains."""


COUNTERS = (
    "enqueued",
    "promoted",
    "succeeded",
    "failed",
    "retried",
    "dead",
    "exhausted",
    "expired",
    "cancelled",
    "skipped",
    "replayed",
    "released",
    "lost",
    "revived",
    "deleted",
    "trimmed",
)
"""Fields of a partition's meta. `failed` = failed attempts; `dead` = burials; `trimmed` = dead letters that
made room or grew too old; `revived`, `deleted` = dead letters that a human sent back or removed;
`skipped`, `replayed` = what an operator took out of a queue unrun, or put in again from its log; `lost` and
`released` = deliveries that came back."""

DEAD_MAX_COUNT = 10_000
"""Dead letters a queue keeps, unless its settings say otherwise."""
DEAD_MAX_AGE_MS = 180 * 24 * 3600 * 1000
MEMO_MAX_AGE_MS = 10 * 60 * 1000
"""How long a repeated push or claim is known for what it is."""
NOTE_MAX_AGE_MS = 24 * 3600 * 1000
"""How long a late verdict waits for its job to fail again."""
RUN_MAX_AGE_MS = 8 * 24 * 3600 * 1000
"""How long a partition knows what a run over its past has done; a run may rest for a day less."""


MAX_MS = 1 << 53
"""Later than any instant."""


def read_ms(told: bytes | str | float) -> int:
    """An instant or a count as it stands in Redis, 0 for what is none, and never outside what a calculation
    can bear."""
    try:
        return int(max(-MAX_MS, min(float(told), MAX_MS)))
    except ValueError:
        return 0


def dead_share(max_count: int, partitions: int) -> int:
    """How many dead letters each of a queue's partitions keeps, for all of them to keep `max_count`."""
    return -(-max_count // partitions)


def alive(counters: Mapping[str, int]) -> int:
    """Jobs that a partition must hold, in later, ready, parked or working, with its counters as they are."""
    came = sum(counters.get(name, 0) for name in ("enqueued", "revived", "replayed"))
    ends = ("succeeded", "exhausted", "expired", "cancelled", "skipped", "dead")
    went = sum(counters.get(name, 0) for name in ends)
    return came - went
