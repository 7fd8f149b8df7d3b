"""Who ended in a chaos run, and whether we had ended it: masters and producers by what the harness noted of
their ends, roles and workers by what their master did. What dies by itself is a finding, though no job may
have suffered from it.

PURE: filled by judging.py from record and logs, I16 of docs/proof.md.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from chaos.checker import Findings
from chaos.evidence import Evidence, S

PROCESSES = frozenset(
    {f"kill {whom}" for whom in ("a worker", "the coordinator", "the scheduler", "the template")}
    | {f"stop a {whom}" for whom in ("worker", "coordinator", "scheduler", "master", "producer")}
    | {
        "kill a master",
        "kill a producer",
        "freeze a host",
        "reload (HUP)",
        "restart a host (TERM)",
        "spool full",
    }
)
"""Strikes at processes of ours: no reason not to find servers."""
SEEN_NS = 60 * S
"""So long after a kill its death may be noticed: by a master that stood still, or by who starts it again."""
LATER_NS = 20 * S
"""So long after a strike servers may not have found together, and who began amid it may give up."""
TIMED = frozenset({"hangs", "too_slow"})
REFUSED = ("exit code 1", "exit code 78")
"""How a role ends that can't do without a server that does not answer, or turns it away."""


@dataclass
class Life:
    """Of a host, by its log."""

    served: bool = False
    failed: bool = False
    """Something said that it could not begin."""
    draining: bool = False
    stopped: int | None = None
    """With which exit code it says that it stops."""
    began_ns: int = 0


@dataclass
class Ends:
    kills: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    """pid -> when we killed it."""
    restarts: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    """Host -> when it was asked to end."""
    ended: list[Mapping[str, Any]] = field(default_factory=list)
    """Notes of masters and producers: of, pid, exit_code, asked, log."""
    lives: dict[tuple[str, str], Life] = field(default_factory=lambda: defaultdict(Life))
    """(host, file of its log)."""
    died: list[tuple[str, Life, Mapping[str, Any]]] = field(default_factory=list)
    """(host, its life, line) of roles and workers."""
    errors: list[str] = field(default_factory=list)
    """What nobody may say: internal errors, and lines that are none."""

    def read_record(self, notes: Iterable[Mapping[str, Any]]) -> None:
        for note in notes:
            for pid in note.get("killed", ()):
                self.kills[pid].append(note["at_ns"])
            if note["what"] == "restart":
                self.restarts[note["of"]].append(note["at_ns"])
            elif note["what"] == "ended":
                self.ended.append(note)

    def read_log(self, lines: Iterable[Mapping[str, Any]], host: str, log: str) -> None:
        life = self.lives[host, log]
        for line in lines:
            life.began_ns = life.began_ns or line["at_ns"]
            match line["event"]:
                case "master.serving":
                    life.served = True
                case "role.failed" | "master.start_failed":
                    life.failed = True
                case "master.draining":
                    life.draining = True
                case "master.stopped":
                    life.stopped = line["exit_code"]
                case "role.died" | "worker.died":
                    self.died.append((host, life, line))
                case "internal.error":
                    said = {
                        name: line[name] for name in ("process", "duty", "error", "exception") if name in line
                    }
                    self.errors.append(f"{host}, {log}: internal error: {said}")

    def strange(self, where: str, text: str) -> None:
        """A line of a host's log that is none."""
        self.errors.append(f"{where}: {text.strip()[:200]}")

    def hear_producers(self, text: str) -> None:
        """They have nothing to say: what there is is how one of their threads has ended."""
        if text:
            *_, last = text.strip().splitlines() or [""]
            self.errors.append(f"a producer: {last[:200]}")

    def killed(self, pid: int, at_ns: int) -> bool:
        return any(0 <= at_ns - at <= SEEN_NS for at in self.kills.get(pid, ()))


def check_ends(found: Findings, ends: Ends, evidence: Evidence) -> None:
    """Add what is wrong to the findings."""
    for text in ends.errors:
        found.wrong("I16", text)
    for note in ends.ended:
        if not _expected(ends, evidence, note):
            found.wrong("I16", f"{note['of']} (pid {note['pid']}) ended by itself: {_how(note)}")
    for host, life, line in ends.died:
        at_ns, child = line["at_ns"], line["child"]
        # What a master that stood still has seen may be told a moment before we note that we did it.
        ours = ends.killed(child, at_ns + S)
        if line["event"] == "role.died":
            if not ours and not _role_may(evidence, line["how"], at_ns):
                found.wrong(
                    "I16", f"the {line['role']} of {host} (pid {child}) died by itself: {line['how']}"
                )
        elif not ours and not _worker_may(life, line):
            found.wrong("I16", f"{host}: {line['told']}")


def check_work(found: Findings) -> None:
    """Who has done nothing has proved nothing."""
    for what in ("acknowledged", "executed"):
        if not found.sorts[what]:
            found.wrong("I16", f"not a single job was {what}")


def _how(note: Mapping[str, Any]) -> str:
    if note.get("asked"):
        return f"exit code {note['exit_code']} though it was asked to end"
    return f"exit code {note['exit_code']}"


def _expected(ends: Ends, evidence: Evidence, note: Mapping[str, Any]) -> bool:
    code, at_ns = note["exit_code"], note["at_ns"]
    if note.get("asked"):
        return bool(code == 0)
    if code == -9:
        return ends.killed(note["pid"], at_ns)
    if "log" not in note:  # a producer
        return False
    life = ends.lives[note["of"], note["log"]]
    if code == 0:
        return any(life.began_ns <= at + SEEN_NS and at <= at_ns for at in ends.restarts[note["of"]])
    # Who never came to serve may give up: its servers did not answer, or turned it away.
    gave_up = life.failed and not life.served and life.stopped == code
    return gave_up and servers_struck(evidence, life.began_ns - LATER_NS, at_ns)


def servers_struck(evidence: Evidence, from_ns: int, until_ns: int) -> bool:
    """Whether in that time anything was struck that is no process of ours: servers, lines, clocks."""
    return any(
        s.begin_ns <= until_ns and s.end_ns >= from_ns and s.name not in PROCESSES for s in evidence.strikes
    )


def _role_may(evidence: Evidence, how: str, at_ns: int) -> bool:
    """Ended by its master as it gave no sign of life, or by itself, for want of a server."""
    if how == "signal 9":
        return evidence.struck(at_ns - LATER_NS, at_ns)
    return how in REFUSED and servers_struck(evidence, at_ns - LATER_NS, at_ns)


def _worker_may(life: Life, line: Mapping[str, Any]) -> bool:
    """As its job does, or as its master must."""
    match line["cause"]:
        case "segfault":
            return bool(line["type"] == "segfaults")
        case "timeout":
            return line["type"] in TIMED
        case "permit_lost":
            return bool(line["type"] == "narrow")
        case "cancelled":
            return bool(line["type"] == "unwanted")
        case "released":
            return life.draining
        case "exit":  # in order, with something that it could not tell any more
            return bool(line["exit_code"] == 0)
    return False
