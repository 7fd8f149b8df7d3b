"""What may explain that a job ran twice, or in a pause, or late: what the record of the run, the hosts' logs
and the servers say.

PURE: filled by judging.py, asked by checker.py. Each reason is looked for at the job's own slot and time, so
that one failover does not excuse what happens elsewhere.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from chaos.history import Run
from chaos.kinds import HOSTS, NAMESPACE, PARTITIONS, QUEUES
from chaos.pauses import NAME as PAUSING
from chaos.pauses import Pause, read_pauses
from ganger import jid as jids
from ganger.keys import partitions

S = 1_000_000_000
STOOD = "the machine stood still"
AFTERWARDS_NS = 3 * S
"""So long what hindered a host may be felt when it is over."""
WITHOUT_NS = 10 * S
"""So long after its coordinator's death a host may be without one that has seen all it must."""
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
    permits_lost: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    """pid of a worker -> when its run had lost its permit, by its host's word."""
    fired: list[tuple[int, str, int]] = field(default_factory=list)
    """Ticks: (instant of the schedule, jid, when)."""
    strikes: list[Strike] = field(default_factory=list)
    replays: list[tuple[int, int, str]] = field(default_factory=list)
    """(begin, end, queue)."""
    pauses: list[Pause] = field(default_factory=list)
    hosts_of: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))
    """pid of a worker -> the hosts that had one of it."""
    hindered: dict[str | int, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    """Host, or pid of a worker -> from when to when it stood still, heard nothing, or had no coordinator."""
    stood_still: dict[str, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    """Limited queue -> from when to when a host handed out nothing of it, for want of servers."""
    events: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    """When each event was logged by a host."""
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

    def was_hindered(self, run: Run, from_ns: int) -> bool:
        """Whether the process of this run, or its host, was so at any time from then to its begin."""
        names = [run.pid, *self.hosts_of.get(run.pid, ())]
        spans = [span for name in names for span in self.hindered.get(name, ())]
        stood = any(
            s.name == STOOD and s.begin_ns <= run.begin_ns and s.end_ns >= from_ns for s in self.strikes
        )
        return stood or any(begin <= run.begin_ns and end >= from_ns for begin, end in spans)

    def failed_over(self, jid: str, from_ns: int, until_ns: int) -> bool:
        return self.slot_failed_over(slot_of(jid), from_ns, until_ns)

    def slot_failed_over(self, slot: int, from_ns: int, until_ns: int) -> bool:
        return any(
            from_ns <= at <= until_ns and any(first <= slot <= last for first, last in stretches)
            for at, stretches in self.failovers
        )

    def went_on(self, jid: str, before: Run) -> bool:
        """Whether the primary of the job's slot stood still or was alone, its replica took over, and the old
        one went on: until it hears of that, it carries out a push and a claim that others had as well. One
        that wakes up has them in its sockets; one whose clock was put back does not notice that it is alone.
        """
        return self.slot_went_on(slot_of(jid), before.begin_ns)

    def slot_went_on(self, slot: int, at_ns: int) -> bool:
        return any(
            begin <= at_ns <= end + 3 * S
            and any(first <= slot <= last for first, last in stretches)
            and self.slot_failed_over(slot, begin, at_ns)
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
        notes = list(notes)
        self.pauses = read_pauses(notes)
        for note in notes:
            at = note["at_ns"]
            self._read_hindrance(note, at)
            for pid in note.get("killed", ()):
                self.deaths[pid].append(at)
            match note["what"]:
                case "strike" if note["name"] != PAUSING:
                    self.strikes.append(Strike(note["name"], note["begin_ns"], note["end_ns"]))
                case "stood still":
                    self.strikes.append(Strike(STOOD, note["begin_ns"], note["end_ns"]))
                case "failover":
                    seen.append((at, note["to"], tuple((first, last) for first, last in note["slots"])))
                case what if what in AWAY:
                    away.append((at, AWAY[what], tuple((first, last) for first, last in note["slots"])))
                case "handed a shard over" if note["way"] == "plain":
                    plain.append((at, note["to"]))
                case "replay":
                    self.replays.append((note["begin_ns"], note["end_ns"], note["queue"]))

        for at, to, stretches in seen:
            if not any(to == other and 0 <= at - then < 3 * S for then, other in plain):
                self.failovers.append((at, stretches))
        for at, name, stretches in away:
            ends = [s.end_ns for s in self.strikes if s.name == name and s.begin_ns <= at <= s.end_ns]
            self.away += [(at, end, stretches) for end in ends]

    def _read_hindrance(self, note: Mapping[str, Any], at: int) -> None:
        what, (sort, _, host) = note["what"], str(note.get("of", "")).partition(" of ")
        until = at + int(note.get("for_s", 0) * S) + AFTERWARDS_NS
        if what == "stop":
            self.hindered[note["pid"] if sort == "worker" else host].append((at, until))
        elif "for_s" in note and "host" in note:  # its line
            self.hindered[HOSTS[note["host"]]].append((at, until))
        elif (what == "kill" and sort == "coordinator") or what in ("reload", "restart"):
            self.hindered[host or sort].append((at, at + WITHOUT_NS))

    def read_log(self, lines: Iterable[Mapping[str, Any]], host: str) -> None:
        """The log of a host; each line with `at_ns`, an instant of the monotonic clock."""
        standing: dict[str, int] = {}
        pids: dict[str, int] = {}
        for line in lines:
            self.events[line["event"]].append(line["at_ns"])
            for sign in SIGNS:
                self.said[sign] += sign in line.get("error", "")
            self._read_limits(line, standing)
            match line["event"]:
                case "worker.ready":
                    self.hosts_of[line["child"]].add(host)
                    pids[line.get("worker", "")] = line["child"]
                case "lease.judged" if "jid" in line:
                    self.judged[line["jid"]].append(line["at_ns"])
                case "worker.died":
                    self.deaths[line["child"]].append(line["at_ns"])
                case "limits.permit_lost" if line["worker"] in pids:
                    self.permits_lost[pids[line["worker"]]].append(line["at_ns"])
                case "cron.fired":
                    self.fired.append((line["tick_at_ms"], line["jid"], line["at_ns"]))

    def _read_limits(self, line: Mapping[str, Any], standing: dict[str, int]) -> None:
        """`standing`: the queues that stand still, since when. A new coordinator says so itself."""
        at_ns, over = line["at_ns"], set[str]()
        match line["event"]:
            case "limits.stand_still":
                standing.setdefault(line["queue"], at_ns)
            case "limits.back":
                over = {line["queue"]} & standing.keys()
            case "role.started" if line["role"] == "coordinator":
                over = set(standing)
        for queue in over:
            self.stood_still[queue].append((standing.pop(queue), at_ns + AFTERWARDS_NS))
