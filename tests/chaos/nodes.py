"""What befell the nodes of the cluster, slot by slot: who took over, what may have gone with the one before,
who went on though replaced, and whose clock was not right.

PURE: the half of evidence.py that the harness's record alone fills.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from chaos.history import Run
from chaos.kinds import NAMESPACE, PARTITIONS, QUEUES
from ganger import jid as jids
from ganger.keys import partitions

S = 1_000_000_000
LAG_NS = 5 * S
"""So long before a failover was seen its primary may have done what no replica heard of: a node timeout of
1.5 s, the election, and a look twice a second, each of which may wait for nodes that say nothing. In three
hours it was 2.8 s at most. Longer only when the record says that the primary had been struck before."""
JUST_BEFORE_NS = 2 * S
"""What was asked of a primary may take effect, and be lost, so long after its successor was seen; what stands
in the record may have been done so long before."""
AWAY = {
    "freeze a node": "freeze a node",
    "keep a node busy": "keep a node busy",
    "parted the nodes": "part the nodes",
}
"""What is noted of a primary that may not hear that it was replaced, and the name of the strike."""
GONE = AWAY | {"killed a primary": "kill a primary"}
"""What is noted of one that serves nobody from then on, or nobody that counts, until another does."""
UNLINKED = frozenset({"part a primary from its replica", "change the password", "refuse connections"})
"""What is noted of a primary that its replica can't follow meanwhile, beside partings."""
CAUGHT_UP_NS = 3 * S
"""So long after that the replica may be behind: it tries once a second, then reads what it missed."""
RIGHT_NS = 3 * S
"""So long what a clock said may be felt when it is right again."""
EVER_NS = 1 << 62
Stretches = tuple[tuple[int, int], ...]
_QUEUES = {jids.digest(queue): partitions(NAMESPACE, queue, PARTITIONS) for queue in QUEUES}


def slot_of(jid: str) -> int:
    """The hash slot in which the job lives."""
    return _QUEUES[jids.queue_digest_of(jid)][jids.partition_of(jid)].slot


def queue_of(jid: str) -> str:
    return _QUEUES[jids.queue_digest_of(jid)][0].queue


@dataclass(frozen=True, slots=True)
class Strike:
    name: str
    begin_ns: int
    end_ns: int


def _holds(stretches: Stretches, slot: int) -> bool:
    return any(first <= slot <= last for first, last in stretches)


def _stretches(note: Mapping[str, Any]) -> Stretches:
    return tuple((first, last) for first, last in note["slots"])


@dataclass
class Nodes:
    failovers: list[tuple[int, Stretches]] = field(default_factory=list)
    """When a replica, or an older copy of the data, was seen to serve, and which stretches of slots."""
    away: list[tuple[int, int, Stretches]] = field(default_factory=list)
    """From when to when a primary stood still, or was alone, and the slots that it served."""
    gone: list[tuple[int, int, Stretches]] = field(default_factory=list)
    """The same, and those that were killed."""
    unlinked: list[tuple[int, int, Stretches]] = field(default_factory=list)
    """From when to when a primary's replica could not follow it, and the slots that it served."""
    clocks: list[tuple[int, int, int, Stretches]] = field(default_factory=list)
    """From when to when the clock of a node was not right, by how many ms, and the slots that it served."""
    _in_step: dict[tuple[int, int], int] = field(default_factory=dict)
    """What _in_step_until has worked out: it is asked for each job, and there are a few thousand answers."""

    def failed_over(self, jid: str, from_ns: int, until_ns: int) -> bool:
        return self.slot_failed_over(slot_of(jid), from_ns, until_ns)

    def slot_failed_over(self, slot: int, from_ns: int, until_ns: int) -> bool:
        return any(from_ns <= at <= until_ns and _holds(stretches, slot) for at, stretches in self.failovers)

    def took_along(self, jid: str, from_ns: int, until_ns: int, seen_ns: int) -> bool:
        """Whether what was written of the job at some time from then to then may have gone with its primary:
        with a failover that was seen until `seen_ns`, and not for longer before it than that primary may have
        been out of step."""
        slot = slot_of(jid)
        return any(
            from_ns - JUST_BEFORE_NS <= at <= seen_ns
            and _holds(stretches, slot)
            and self._in_step_until(slot, at) <= until_ns
            for at, stretches in self.failovers
        )

    def _in_step_until(self, slot: int, failover_ns: int) -> int:
        if (slot, failover_ns) not in self._in_step:
            self._in_step[slot, failover_ns] = self._reach_back(slot, failover_ns)
        return self._in_step[slot, failover_ns]

    def _reach_back(self, slot: int, failover_ns: int) -> int:
        struck = [
            begin - JUST_BEFORE_NS
            for begin, end, stretches in self.gone
            if begin <= failover_ns <= end + 3 * S and _holds(stretches, slot)
        ]
        since = min([failover_ns - LAG_NS, *struck])
        for begin, end, stretches in sorted(self.unlinked, reverse=True):
            if begin < since <= end + CAUGHT_UP_NS and _holds(stretches, slot):
                since = begin
        return since

    def went_on(self, jid: str, before: Run) -> bool:
        """Whether the primary of the job's slot stood still or was alone, its replica took over, and the old
        one went on: until it hears of that, it carries out a push and a claim that others had as well. One
        that wakes up has them in its sockets; one whose clock was put back does not notice that it is alone.
        """
        return self.slot_went_on(slot_of(jid), before.begin_ns)

    def slot_went_on(self, slot: int, at_ns: int) -> bool:
        return any(
            begin <= at_ns <= end + 3 * S
            and _holds(stretches, slot)
            and self.slot_failed_over(slot, begin, at_ns)
            for begin, end, stretches in self.away
        )

    def forgotten(self, jid: str, first_ns: int, last_ns: int) -> bool:
        """Whether a job whose push nobody was promised, and that began from `first_ns` to `last_ns`, may have
        gone with the node that it was pushed to."""
        return self.took_along(jid, first_ns, last_ns, EVER_NS)

    def unsaid(self, jid: str, answered_ns: int, seen_ns: int) -> bool:
        """Whether what was answered then may be unknown to who served the job's slot later."""
        went_on = self.slot_went_on(slot_of(jid), answered_ns)
        return went_on or self.took_along(jid, answered_ns, answered_ns, seen_ns)

    def wrong_by_ms(self, jid: str, from_ns: int, until_ns: int) -> int:
        """By how much the clock of the job's slot was, at some time from then to then; ahead or back."""
        slot = slot_of(jid)
        return max(
            (
                by_ms
                for begin, end, by_ms, stretches in self.clocks
                if begin <= until_ns and end + RIGHT_NS >= from_ns and _holds(stretches, slot)
            ),
            default=0,
        )

    # ---- reading ---------------------------------------------------------------------------------------

    def read_nodes(self, notes: Iterable[Mapping[str, Any]], strikes: Iterable[Strike]) -> None:
        """The record of the run (journal.py). A shard that is handed over in the plain way loses nothing."""
        seen: list[tuple[int, str, Stretches]] = []
        plain: list[tuple[int, str]] = []
        stepped: dict[str, tuple[int, int, Stretches]] = {}
        spans: dict[str, list[Strike]] = {}
        self._in_step.clear()
        for strike in strikes:
            spans.setdefault(strike.name, []).append(strike)
        for note in notes:
            at, what = note["at_ns"], note["what"]
            match what:
                case "failover":
                    seen.append((at, note["to"], _stretches(note)))
                case "handed a shard over" if note["way"] == "plain":
                    plain.append((at, note["to"]))
                case "stepped a clock":
                    stepped[note["node"]] = (at, abs(note["by_s"]) * 1000, _stretches(note))
                case "put a clock right" if note["node"] in stepped:
                    begin, by_ms, slots = stepped.pop(note["node"])
                    self.clocks.append((begin, at, by_ms, (*slots, *_stretches(note))))
            if what in UNLINKED or (
                what == "parted the nodes" and note.get("way", "").startswith("a primary")
            ):
                self.unlinked.append((at, at + int(note["for_s"] * S), _stretches(note)))
            if what in GONE:
                ends = [s.end_ns for s in spans.get(GONE[what], ()) if s.begin_ns <= at <= s.end_ns]
                found = [(at, end, _stretches(note)) for end in ends]
                self.gone += found
                self.away += found if what in AWAY else []
        for at, to, stretches in seen:
            if not any(to == other and 0 <= at - then < 3 * S for then, other in plain):
                self.failovers.append((at, stretches))
