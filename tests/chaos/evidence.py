"""What may explain that a job ran twice: what the record of the run, the hosts' logs and the servers say.

PURE: filled by judging.py, asked by checker.py. Each reason is looked for at the job's own slot and time, so
that one failover does not excuse what happens elsewhere.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from chaos.history import Run
from chaos.kinds import NAMESPACE, PARTITIONS, QUEUES
from ganger import jid as jids
from ganger.keys import partitions

S = 1_000_000_000
FAILOVER_NS = 30 * S
"""A failover that was seen may have cost writes of that long before."""
AWAY = {
    "freeze a node": "freeze a node",
    "keep a node busy": "keep a node busy",
    "parted the nodes": "part the nodes",
}
"""What is noted of a primary that may not hear that it was replaced, and the name of the strike."""
Stretches = tuple[tuple[int, int], ...]
SIGNS = ("refuses our user name or password", "max number of clients")
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


@dataclass
class Evidence:
    failovers: list[tuple[int, Stretches]] = field(default_factory=list)
    """When a replica, or an older copy of the data, was seen to serve, and which stretches of slots."""
    away: list[tuple[int, int, Stretches]] = field(default_factory=list)
    """From when to when a primary stood still, or was alone, and the slots that it served."""
    judged: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    """jid -> when its lease was taken from a holder."""
    deaths: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    """pid -> when it was killed, or found dead."""
    permits_lost: list[int] = field(default_factory=list)
    fired: list[tuple[int, str, int]] = field(default_factory=list)
    """Ticks: (instant of the schedule, jid, when)."""
    strikes: list[Strike] = field(default_factory=list)
    replays: list[tuple[int, int, str]] = field(default_factory=list)
    """(begin, end, queue)."""
    events: Counter[str] = field(default_factory=Counter)
    """Lines of the hosts' logs by event."""
    said: Counter[str] = field(default_factory=Counter)
    """Lines that tell an error in which one of SIGNS stands, by it."""

    def died_ns(self, run: Run) -> int:
        """When the process of a run without an end died; its begin when nobody knows."""
        return next((at for at in sorted(self.deaths.get(run.pid, ())) if at >= run.begin_ns), run.begin_ns)

    def ended_with(self, run: Run) -> bool:
        """Whether its process was killed before it noted anything else: what came of it nobody may have
        heard."""
        return run.last and run.pid in self.deaths

    def struck(self, from_ns: int, until_ns: int, name: str = "") -> bool:
        """Whether a strike (whose name holds `name`) lasted in that time."""
        return any(
            s.begin_ns <= until_ns and s.end_ns >= from_ns for s in self.strikes if not name or name in s.name
        )

    def failed_over(self, jid: str, from_ns: int, until_ns: int) -> bool:
        slot = slot_of(jid)
        return any(
            from_ns <= at <= until_ns and any(first <= slot <= last for first, last in stretches)
            for at, stretches in self.failovers
        )

    def went_on(self, jid: str, before: Run) -> bool:
        """Whether the primary of the job's slot stood still or was alone, its replica took over, and the old
        one went on: until it hears of that, it carries out a push and a claim that others had as well. One
        that wakes up has them in its sockets; one whose clock was put back does not notice that it is alone.
        """
        slot = slot_of(jid)
        return any(
            begin <= before.begin_ns <= end + 3 * S
            and any(first <= slot <= last for first, last in stretches)
            and self.failed_over(jid, begin, before.begin_ns)
            for begin, end, stretches in self.away
        )

    def forgotten(self, jid: str, first_ns: int, last_ns: int) -> bool:
        """Whether a job whose push nobody was promised, and that began from `first_ns` to `last_ns`, may have
        gone with the node that it was pushed to."""
        return self.failed_over(jid, first_ns - 2 * S, last_ns + FAILOVER_NS)

    def why_again(self, jid: str, before: Run, again: Run) -> str:
        """The reason why a job began again though `before` had ended well, or was not over; "" for none."""
        if any(before.begin_ns <= at <= again.begin_ns + S for at in self.judged.get(jid, ())):
            return "lease expired"
        queue = queue_of(jid)
        if any(before.begin_ns < begin <= again.begin_ns and queue == of for begin, _, of in self.replays):
            return "replayed"
        if self.ended_with(before):
            return "killed at its end"
        until_ns = min(again.begin_ns + 3 * S, max(before.end_ns, before.begin_ns) + FAILOVER_NS)
        from_ns = max(before.begin_ns - 2 * S, again.begin_ns - 2 * FAILOVER_NS)
        if self.failed_over(jid, from_ns, until_ns):
            return "failover"
        return "old primary went on" if self.went_on(jid, before) else ""

    # ---- reading ---------------------------------------------------------------------------------------

    def read_record(self, notes: Iterable[Mapping[str, Any]]) -> None:
        """The record of the run (journal.py). A shard that is handed over in the plain way loses nothing."""
        seen: list[tuple[int, str, Stretches]] = []
        plain: list[tuple[int, str]] = []
        away: list[tuple[int, str, Stretches]] = []
        for note in notes:
            at = note["at_ns"]
            for pid in note.get("killed", ()):
                self.deaths[pid].append(at)
            match note["what"]:
                case "strike":
                    self.strikes.append(Strike(note["name"], note["begin_ns"], note["end_ns"]))
                case "stood still":
                    self.strikes.append(Strike("the machine stood still", note["begin_ns"], note["end_ns"]))
                case "failover":
                    seen.append((at, note["to"], tuple((first, last) for first, last in note["slots"])))
                case what if what in AWAY:
                    away.append((at, AWAY[what], tuple((first, last) for first, last in note["slots"])))
                case "handed a shard over" if note["way"] == "plain":
                    plain.append((at, note["to"]))
                case "replay":
                    self.replays.append((note["begin_ns"], note["end_ns"], note["queue"]))

        for at, to, stretches in seen:
            if not any(to == other and -5 * S < at - then < 3 * S for then, other in plain):
                self.failovers.append((at, stretches))
        for at, name, stretches in away:
            ends = [s.end_ns for s in self.strikes if s.name == name and s.begin_ns <= at <= s.end_ns]
            self.away += [(at, end, stretches) for end in ends]

    def read_log(self, lines: Iterable[Mapping[str, Any]]) -> None:
        """The log of a host; each line with `at_ns`, an instant of the monotonic clock."""
        for line in lines:
            self.events[line["event"]] += 1
            for sign in SIGNS:
                self.said[sign] += sign in line.get("error", "")
            match line["event"]:
                case "lease.judged" if "jid" in line:
                    self.judged[line["jid"]].append(line["at_ns"])
                case "worker.died":
                    self.deaths[line["child"]].append(line["at_ns"])
                case "limits.permit_lost":
                    self.permits_lost.append(line["at_ns"])
                case "cron.fired":
                    self.fired.append((line["tick_at_ms"], line["jid"], line["at_ns"]))


def near(instants: list[int], at_ns: int, within_ns: int) -> bool:
    """Whether one of these (sorted) lies so near."""
    place = bisect_left(instants, at_ns - within_ns)
    return place < len(instants) and instants[place] <= at_ns + within_ns
