"""What may explain that a job ran twice, or in a pause, or late: what the record of the run, the hosts' logs
and the servers say.

PURE: filled by judging.py, asked by checker.py. Each reason is looked for at the job's own slot and time, so
that one failover does not excuse what happens elsewhere.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from chaos.history import Run
from chaos.kinds import HOSTS
from chaos.nodes import AWAY, Nodes, S, Strike, queue_of, slot_of
from chaos.pauses import FOR_EVER_NS, NAME, Pause, read_pauses

__all__ = ["AWAY", "REPLAYED", "SIGNS", "STOOD", "Evidence", "S", "Strike", "queue_of", "slot_of"]

REPLAYED = "replayed"
STOOD = "the machine stood still"
AFTERWARDS_NS = 3 * S
"""So long what hindered a host may be felt when it is over."""
WITHOUT_NS = 10 * S
"""So long after its coordinator's death a host may be without one that has seen all it must."""
NOTED_NS = S
"""A kill is noted before it is done: so long the one who was killed may go on."""
AT_ONCE_NS = 2 * S
"""So long what a handler did may be unheard of though nothing hinders its host."""
BATCH_NS = 5 * S
"""So long after a handler's end its settle may wait: for its batch, and another of two seconds in it."""
LEASE_NS, STILL_NS = 16 * S, 12 * S
"""Who was hindered for less than so much of a lease, with its judge, has renewed it."""
FORGETS_NS = 60 * S
"""What a failover has put back into its queue begins by then."""
SIGNS = ("refuses our user name or password", "max number of clients")


@dataclass
class Evidence(Nodes):
    drained_ns: int = FOR_EVER_NS
    """When all that was pushed had ended; the counters were read soon after, and cron went on."""
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
    born: dict[int, list[tuple[int, str]]] = field(default_factory=lambda: defaultdict(list))
    """pid of a worker -> when it was ready, and of which host; a pid may come twice in an hour."""
    hindered: dict[str | int, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    """Host, or pid of a worker -> from when to when it stood still or heard nothing."""
    bereft: dict[str, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    """Host -> from when to when it may have had no coordinator that has seen all it must."""
    led: dict[str, list[tuple[int, bool]]] = field(default_factory=lambda: defaultdict(list))
    """Host -> when, by its log, its coordinator was gone, and when another was ready."""
    down: dict[str, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    """Host -> from when to when it had no master, or one that was on its way."""
    stood_still: dict[str, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    """Limited queue -> from when to when a host handed out nothing of it, for want of servers."""
    events: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    """When each event was logged by a host."""
    said: Counter[str] = field(default_factory=Counter)
    """Lines that tell an error in which one of SIGNS stands, by it."""

    # ---- processes and hosts ---------------------------------------------------------------------------

    def death_of(self, run: Run) -> int | None:
        """When the process of this run died, which noted nothing after it: with its master, at the latest.
        None when nobody knows."""
        since_ns = max(run.begin_ns, run.end_ns) - NOTED_NS
        instants = [begin for host in self._hosts_of(run) for begin, _ in self.down.get(host, ())]
        instants += self.deaths.get(run.pid, ())
        return min((at for at in instants if at >= since_ns), default=None)

    def died_ns(self, run: Run) -> int:
        """When the process of a run without an end died; its begin when nobody knows."""
        death_ns = self.death_of(run)
        return run.begin_ns if death_ns is None else death_ns

    def ended_with(self, run: Run, until_ns: int = FOR_EVER_NS) -> bool:
        """Whether its process was killed before it noted anything else, and before then: what came of it
        nobody may have heard. Who goes on for long after its end has told it, unless something hinders it."""
        death_ns = self.death_of(run) if run.last else None
        if death_ns is None or death_ns > until_ns:
            return False
        return death_ns - run.end_ns <= AT_ONCE_NS or self.was_hampered(run, run.end_ns, death_ns)

    def struck(self, from_ns: int, until_ns: int, name: str = "") -> bool:
        """Whether a strike (whose name holds `name`) lasted in that time."""
        return any(
            s.begin_ns <= until_ns and s.end_ns >= from_ns for s in self.strikes if not name or name in s.name
        )

    def was_hindered(self, run: Run, from_ns: int) -> bool:
        """Whether the process of this run, or its host, was so at any time from then to its begin."""
        return self.was_hampered(run, from_ns, run.begin_ns)

    def was_hampered(self, run: Run, from_ns: int, until_ns: int) -> bool:
        return any(begin <= until_ns and end >= from_ns for begin, end in self._hindrances(run))

    def stood_ms(self, run: Run, before_ms: int) -> int:
        """For how much of the time before its begin the process of this run, or its host, was hindered."""
        from_ns = run.begin_ns - before_ms * 1_000_000
        return _covered(self._hindrances(run), from_ns, run.begin_ns) // 1_000_000

    def _hindrances(self, run: Run) -> list[tuple[int, int]]:
        """From when to when its process was hindered, its host, or all at once."""
        return self._standing(run) + [
            span for host in self._hosts_of(run) for span in self.bereft.get(host, ())
        ]

    def _standing(self, run: Run) -> list[tuple[int, int]]:
        names: list[str | int] = [run.pid, *self._hosts_of(run)]
        spans = [span for name in names for span in self.hindered.get(name, ())]
        return spans + [(s.begin_ns, s.end_ns) for s in self.strikes if s.name == STOOD]

    def _hosts_of(self, run: Run) -> list[str]:
        """The host of its process, as a list; empty when no log tells."""
        before = [birth for birth in self.born.get(run.pid, ()) if birth[0] <= run.begin_ns + AFTERWARDS_NS]
        return [max(before)[1]] if before else []

    def _was_still(self, run: Run, judged_ns: int) -> bool:
        """Whether nobody may have renewed its lease for nearly all of it, when this run was over or should
        have been: its host stood still or heard nothing, or had no master or no coordinator (which is in its
        log; whether that may be is for I16 to say). Who renews, or can tell how it ended, keeps it."""
        spans = self._standing(run)
        for host in self._hosts_of(run):
            spans += [*self.down.get(host, ()), *self._unled(host)]
        over_ns = min(judged_ns, run.end_ns or self.died_ns(run))
        if not _covered(spans, over_ns, over_ns + BATCH_NS):
            return False
        begins = [over_ns - LEASE_NS, over_ns + BATCH_NS, *(begin for begin, _ in spans)]
        return any(
            _covered(spans, at, min(at + LEASE_NS, judged_ns)) >= STILL_NS
            for at in begins
            if over_ns - LEASE_NS <= at <= over_ns + BATCH_NS
        )

    def _unled(self, host: str) -> Iterator[tuple[int, int]]:
        gone_ns = 0
        for at, ready in sorted(self.led.get(host, ())):
            if ready and gone_ns:
                yield gone_ns, at + AFTERWARDS_NS
            gone_ns = 0 if ready else gone_ns or at

    # ---- reasons ---------------------------------------------------------------------------------------

    def why_again(self, jid: str, before: Run, again: Run) -> str:
        """The reason why a job began again though `before` had ended well, or was not over; "" for none."""
        judged = [at for at in self.judged.get(jid, ()) if before.begin_ns <= at <= again.begin_ns + S]
        if any(self._was_still(before, at) for at in judged):
            return "lease expired"
        queue = queue_of(jid)
        if any(before.begin_ns < begin <= again.begin_ns and queue == of for begin, _, of in self.replays):
            return REPLAYED
        if self.ended_with(before, again.begin_ns):
            return "killed at its end"
        # A settle that is lost leaves a lease that nobody renews: then its judge decides when.
        from_ns = before.begin_ns if judged else max(before.begin_ns, again.begin_ns - FORGETS_NS)
        over_ns = max(before.end_ns, before.begin_ns)
        if self.took_along(jid, from_ns, over_ns, again.begin_ns + 3 * S):
            return "failover"
        return "old primary went on" if self.went_on(jid, before) else ""

    # ---- reading ---------------------------------------------------------------------------------------

    def read_record(self, notes: Iterable[Mapping[str, Any]]) -> None:
        """The record of the run (journal.py)."""
        notes = list(notes)
        self.pauses = read_pauses(notes)
        for note in notes:
            at = note["at_ns"]
            self._read_hindrance(note, at)
            for pid in note.get("killed", ()):
                self.deaths[pid].append(at)
            match note["what"]:
                case "strike" if note["name"] != NAME:
                    self.strikes.append(Strike(note["name"], note["begin_ns"], note["end_ns"]))
                case "stood still":
                    self.strikes.append(Strike(STOOD, note["begin_ns"], note["end_ns"]))
                case "drained":
                    self.drained_ns = at
                case "replay":
                    self.replays.append((note["begin_ns"], note["end_ns"], note["queue"]))
        self.read_nodes(notes, self.strikes)

    def _read_hindrance(self, note: Mapping[str, Any], at: int) -> None:
        what, (sort, _, host) = note["what"], str(note.get("of", "")).partition(" of ")
        until = at + int(note.get("for_s", 0) * S) + AFTERWARDS_NS
        if what == "stop" and sort != "scheduler":  # which no worker waits for
            self.hindered[note["pid"] if sort == "worker" else host].append((at, until))
        elif "for_s" in note and "host" in note:  # its line
            self.hindered[HOSTS[note["host"]]].append((at, until))
        elif (what == "kill" and sort == "coordinator") or what in ("reload", "restart"):
            self.bereft[host or sort].append((at, at + WITHOUT_NS))
        if what == "restart" or (what == "kill" and sort == "master"):
            self.down[(host or sort).partition(",")[0]].append((at, FOR_EVER_NS))

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
                    pids[line.get("worker", "")] = line["child"]
                    self.born[line["child"]].append((line["at_ns"], host))
                case "master.serving":
                    self.down[host] = [
                        (begin, min(end, line["at_ns"] + AFTERWARDS_NS) if begin < line["at_ns"] else end)
                        for begin, end in self.down[host]
                    ]
                case "role.died" | "role.failed" | "role.replaced" | "role.ready" if (
                    line["role"] == "coordinator"
                ):
                    self.led[host].append((line["at_ns"], line["event"] == "role.ready"))
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


def _covered(spans: Iterable[tuple[int, int]], from_ns: int, until_ns: int) -> int:
    """How much of that time lies in one of these."""
    found, at = 0, from_ns
    for begin, end in sorted(spans):
        end = min(end, until_ns)
        if end > at:
            found, at = found + max(0, end - max(begin, at)), end
    return found
