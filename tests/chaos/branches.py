"""The rare branches of ganger that a chaos run must take, and how often each was taken.

Observed where it costs the hot path nothing: servers count their error replies, hosts log what is rare, and
the rest follows from the history. PURE.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping

from chaos.checker import Findings
from chaos.evidence import SIGNS, Evidence, S, Strike
from chaos.history import History
from chaos.kept import Struck

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
OFTEN = 4
"""Strikes after which a nemesis should have taken its branches, each of them."""
RARELY = {"memo hit": 12, "lease reclaim": 12}
"""The same of branches that not each strike takes: no push may have been under way to a primary that is
killed; a host may be frozen for a moment only, and with nothing in its hands."""
FELT_NS = 30 * S
"""So long after a strike what it aims at may be taken: a lease runs out, a host is started again."""


def instants(evidence: Evidence, history: History) -> dict[str, list[int]]:
    """When each branch was taken of which that is known; sorted."""
    found = {name: sorted(evidence.events[event]) for name, event in EVENTS.items()}
    found["memo hit"] = sorted(history.memo_hits)
    found["failover"] = sorted(at for at, _ in evidence.failovers)
    return found


def taken(errors: Counter[str], evidence: Evidence, history: History, found: Findings) -> dict[str, int]:
    """How often each was."""
    counts = {name: errors[code] for name, code in ERRORS.items()}
    counts |= {name: len(when) for name, when in instants(evidence, history).items()}
    counts |= {name: evidence.said[text] for name, text in SAID.items()}
    counts["stale settle"] = found.stale_settles
    return counts


def missed(
    struck: Iterable[Struck],
    counts: Mapping[str, int],
    when: Mapping[str, list[int]],
    strikes: Iterable[Strike],
) -> Iterator[str]:
    """What a nemesis aimed at, often, and never took; where it is known when: not by one of its own strikes
    or soon after. As sentences."""
    by_name: dict[str, list[Strike]] = defaultdict(list)
    for strike in strikes:
        by_name[strike.name].append(strike)
    for nemesis in struck:
        for name in sorted(nemesis.branches):
            if nemesis.count < RARELY.get(name, OFTEN):
                continue
            if not counts[name]:
                yield f"{name}: aimed at by {nemesis.name!r}, and never taken"
            elif name in when and not any(_fell(when[name], each) for each in by_name[nemesis.name]):
                yield f"{name}: taken, but by none of {nemesis.count} strikes of {nemesis.name!r}"


def _fell(instants: list[int], strike: Strike) -> bool:
    place = bisect_left(instants, strike.begin_ns)
    return place < len(instants) and instants[place] <= strike.end_ns + FELT_NS
