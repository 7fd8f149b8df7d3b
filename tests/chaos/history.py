"""All that the journals of a chaos run say of its jobs, held so that a million of them fit into memory.

Every job has a row: some bytes in columns. Whole runs are kept of the odd kinds, and of those of the bulk
that did not simply begin once and end once; these are known after a first reading, so the files of the
handlers are read twice. Leaves judging to checker.py. PURE: who has lists of lines needs no files.
"""

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from chaos.journal import expand, files, lines, pid_of, reading
from chaos.kinds import BY_CODE, UNPUSHED, Kind

Lines = Iterable[Sequence[str]]
Source = Callable[[], Iterator[tuple[int, Lines]]]
"""Gives the files of a folder anew, each as (pid, its lines)."""

ACKED, UNKNOWN, FAILED, CANCELLED = 1, 2, 4, 8
TICK_NS = 100_000_000


@dataclass(slots=True)
class Run:
    """One run of a handler, as it noted it."""

    attempt: int
    entry: str
    begin_ns: int
    wall_ms: int
    process: int
    """Which file; a pid may come twice in an hour."""
    pid: int
    extra: str = "-"
    end_ns: int = 0
    """0: nothing was noted after its begin."""
    ok: bool = False
    last: bool = False
    """Nothing else was noted by this process."""


@dataclass(slots=True)
class Asked:
    """What its push said of a job of an odd kind."""

    due_ms: int
    expires_ms: int
    extra: str


@dataclass
class History:
    pauses: Mapping[str, Sequence[tuple[int, int]]] = field(default_factory=dict)
    """Queue -> when it was paused, in order, none beside another: each run that began then is kept whole."""
    rows: dict[str, int] = field(default_factory=dict)
    """jid -> its place in the columns."""
    code: bytearray = field(default_factory=bytearray)
    state: bytearray = field(default_factory=bytearray)
    begun: bytearray = field(default_factory=bytearray)
    ended: bytearray = field(default_factory=bytearray)
    pushed_ns: "array[int]" = field(default_factory=lambda: array("q"))
    acked_ns: "array[int]" = field(default_factory=lambda: array("q"))
    first_ns: "array[int]" = field(default_factory=lambda: array("q"))
    runs: dict[str, list[Run]] = field(default_factory=dict)
    """By jid, in order of their begins."""
    asked: dict[str, Asked] = field(default_factory=dict)
    cancelled_ns: dict[str, int] = field(default_factory=dict)
    """jid -> when its cancel was answered."""
    committing: dict[str, int] = field(default_factory=dict)
    """Batch -> since when it may be committed."""
    committed: set[str] = field(default_factory=set)
    strangers: list[str] = field(default_factory=list)
    """Jids that ran, and that nobody had pushed."""
    memo_hits: list[int] = field(default_factory=list)
    """When a memo knew a push."""
    ends_by_tick: dict[int, int] = field(default_factory=dict)
    """Ends in each tenth of a second."""
    begins_by_tick: dict[str, set[int]] = field(default_factory=dict)
    """Queue -> the tenths of seconds in which jobs of it began."""
    in_pauses: list[tuple[str, Run]] = field(default_factory=list)
    """(jid, run)."""
    abandoned: list[str] = field(default_factory=list)
    """Jids of runs that neither ended nor raised, in a process that went on to others."""

    # ---- what was pushed -------------------------------------------------------------------------------

    def add(self, jid: str, code: str, pushed_ns: int) -> int:
        row = self.rows.get(jid)
        if row is None:
            row = self.rows[jid] = len(self.code)
            self.code.append(ord(code))
            for column in (self.state, self.begun, self.ended):
                column.append(0)
            self.pushed_ns.append(pushed_ns)
            self.acked_ns.append(0)
            self.first_ns.append(0)
        return row

    def read_pushes(self, written: Lines) -> None:
        """The file of one producer."""
        calls: dict[str, list[str]] = {}
        for words in written:
            match words[0]:
                case "I":
                    self._asked(words, calls)
                case "A" | "U":
                    self._heard(words)
                case "Z":
                    for jid in calls.pop(words[2], ()):
                        if not self.state[self.rows[jid]]:
                            self.state[self.rows[jid]] = FAILED
                case "C":
                    self.state[self.rows[words[2]]] |= CANCELLED
                    self.cancelled_ns[words[2]] = int(words[1])
                case "W":
                    self.committing[words[2]] = int(words[1])
                case "M":
                    self.committed.add(words[2])
                case "H":
                    self.memo_hits.append(int(words[1]))

    def _asked(self, words: Sequence[str], calls: dict[str, list[str]]) -> None:
        _, ns, call, code, stem, count, due, expires, extra = words
        names = expand(stem, 0, int(count) - 1)
        for jid in names:
            self.add(jid, code, int(ns))
            if not BY_CODE[code].bulky:
                self.asked[jid] = Asked(int(due), int(expires), extra)
        calls.setdefault(call, []).extend(names)

    def _heard(self, words: Sequence[str]) -> None:
        for jid in expand(words[2], int(words[3]), int(words[4])):
            row = self.rows.get(jid)
            if row is None:
                continue  # a callback of a batch
            if words[0] == "U":
                self.state[row] |= UNKNOWN
            else:
                self.state[row] = self.state[row] & ~FAILED | ACKED
                self.acked_ns[row] = self.acked_ns[row] or int(words[1])

    # ---- what ran --------------------------------------------------------------------------------------

    def read_runs(self, source: Source) -> None:
        """The files of the handlers; those of the producers come before."""
        for process, (pid, written) in enumerate(source()):
            self._read_process(process, pid, written, self._first_look)
        odd = {
            jid
            for jid, row in self.rows.items()
            if (self.begun[row], self.ended[row]) not in ((0, 0), (1, 1)) and self._kind(row).bulky
        }
        if odd:
            for process, (pid, written) in enumerate(source()):
                self._read_process(process, pid, written, odd.__contains__)
        for runs in self.runs.values():
            runs.sort(key=lambda run: run.begin_ns)

    def _kind(self, row: int) -> Kind:
        return BY_CODE[chr(self.code[row])]

    def _first_look(self, jid: str) -> bool:
        row = self.rows.get(jid)
        return row is not None and not self._kind(row).bulky

    def _read_process(self, process: int, pid: int, written: Lines, wanted: Callable[[str], bool]) -> None:
        first = wanted == self._first_look
        run: Run | None = None
        open_jid = ""
        for words in written:
            jid = words[1]
            if words[0] == "B":
                if first and not self._begins(jid, words):
                    continue
                if open_jid and first:
                    self.abandoned.append(open_jid)
                open_jid, run = jid, None
                paused, keep = first and self._in_pause(words), wanted(jid)
                if paused or keep:
                    entry, ns, wall = words[3], int(words[4]), int(words[5])
                    begun = Run(int(words[2]), entry, ns, wall, process, pid, words[7])
                if paused:
                    self.in_pauses.append((jid, begun))
                if keep:
                    run = begun
                    self.runs.setdefault(jid, []).append(run)
                continue
            open_jid = ""
            if first and jid in self.rows and words[0] == "E":
                row = self.rows[jid]
                self.ended[row] = min(255, self.ended[row] + 1)
                tick = int(words[3]) // TICK_NS
                self.ends_by_tick[tick] = self.ends_by_tick.get(tick, 0) + 1
            if run is not None and run.entry == words[2]:
                run.end_ns, run.ok = int(words[3]), words[0] == "E"
        if run is not None:
            run.last = True

    def _begins(self, jid: str, words: Sequence[str]) -> bool:
        row = self.rows.get(jid)
        if row is None:
            if words[6] not in UNPUSHED:
                self.strangers.append(jid)
                return False
            row = self.add(jid, words[6], 0)
        self.begun[row] = min(255, self.begun[row] + 1)
        ns = int(words[4])
        self.begins_by_tick.setdefault(BY_CODE[words[6]].queue, set()).add(ns // TICK_NS)
        if not self.first_ns[row] or ns < self.first_ns[row]:
            self.first_ns[row] = ns
        return True

    def _in_pause(self, words: Sequence[str]) -> bool:
        """Whether this begin was while its queue was paused."""
        ns, pauses = int(words[4]), self.pauses.get(BY_CODE[words[6]].queue, ())
        place = bisect_right(pauses, ns, key=lambda pause: pause[0]) - 1
        return place >= 0 and ns < pauses[place][1]

    # ---- what is asked of it ---------------------------------------------------------------------------

    def of_kind(self, code: str) -> list[str]:
        """The jids of an odd kind."""
        return [jid for jid, row in self.rows.items() if self.code[row] == ord(code)]

    def waits_ms(self, from_ns: int, until_ns: int) -> list[float]:
        """From push to begin, sorted, of the bulk that was pushed in that time."""
        bulky = {ord(code) for code, kind in BY_CODE.items() if kind.bulky}
        found = [
            (first - pushed) / 1e6
            for code, pushed, first in zip(self.code, self.pushed_ns, self.first_ns, strict=True)
            if first and from_ns <= pushed < until_ns and code in bulky
        ]
        return sorted(found)

    def longest_stall_s(self, from_ns: int, until_ns: int, stood: Sequence[tuple[int, int]] = ()) -> float:
        """The longest time in which no job ended at all; what the machine itself `stood` still counts not."""
        still = {
            tick for begin, end in stood for tick in range(begin // TICK_NS, end // TICK_NS + 1)
        } - self.ends_by_tick.keys()
        longest = at = 0
        for tick in range(from_ns // TICK_NS + 1, until_ns // TICK_NS):
            if tick in still:
                continue
            at = 0 if tick in self.ends_by_tick else at + 1
            longest = max(longest, at)
        return longest * TICK_NS / 1e9


def read(directory: Path, pauses: Mapping[str, Sequence[tuple[int, int]]]) -> History:
    """The journals of a run, in which these queues were paused."""
    history = History(pauses)
    path = directory
    for path in files(directory, "pushes"):
        with reading(path):
            history.read_pushes(lines(path))

    def runs() -> Iterator[tuple[int, Lines]]:
        nonlocal path
        for path in files(directory, "runs"):
            yield pid_of(path), lines(path)

    try:
        history.read_runs(runs)
    except (ValueError, LookupError) as error:
        with reading(path):
            raise error
    return history
