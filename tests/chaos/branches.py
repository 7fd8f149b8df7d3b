"""The rare branches of ganger that a chaos run must take, and how often each was taken.

Observed where it costs the hot path nothing: servers count their error replies, hosts log what is rare, and
the rest follows from the history. PURE.
"""

from collections import Counter

from chaos.checker import Findings
from chaos.evidence import SIGNS, Evidence
from chaos.history import History

ERRORS = {
    "noscript": "NOSCRIPT",
    "moved": "MOVED",
    "ask": "ASK",
    "tryagain": "TRYAGAIN",
    "clusterdown": "CLUSTERDOWN",
    "readonly": "READONLY",
    "noreplicas": "NOREPLICAS",
    "busy": "BUSY",
    "oom": "OOM",
    "loading": "LOADING",
    "misconf": "MISCONF",
}
EVENTS = {
    "lease reclaim": "lease.judged",
    "lease lost": "lease.lost",
    "quorum lost": "limits.stand_still",
    "permit lost": "limits.permit_lost",
    "death settled": "death.settled",
    "death waits": "death.waits",
    "spool trouble": "death.spool_trouble",
    "pages inherited": "master.predecessor_found",
    "leader won": "leader.won",
    "reload": "reload.done",
    "role died": "role.died",
    "redis down": "redis.down",
    "ended from outside": "job.ended_from_outside",
    "pause completed": "pauses.mended",
}
SAID = {
    "wrong password": SIGNS[0],
    "no connection free": SIGNS[1],
}
"""Branches that no server counts apart from what this harness itself is told: what the hosts' logs say."""
DERIVED = ("stale settle", "memo hit", "failover")
NAMES = frozenset({*ERRORS, *EVENTS, *SAID, *DERIVED})
"""All that a nemesis may aim at."""


def taken(errors: Counter[str], evidence: Evidence, history: History, found: Findings) -> dict[str, int]:
    """How often each was."""
    counts = {name: errors[code] for name, code in ERRORS.items()}
    counts |= {name: evidence.events[event] for name, event in EVENTS.items()}
    counts |= {name: evidence.said[text] for name, text in SAID.items()}
    counts["stale settle"] = found.stale_settles
    counts["memo hit"] = history.memo_hits
    counts["failover"] = len(evidence.failovers)
    return counts
