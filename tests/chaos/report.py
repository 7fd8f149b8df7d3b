"""The report of a chaos run, as data and as text. PURE."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self


@dataclass(frozen=True)
class Waits:
    """From push to begin, in milliseconds."""

    jobs: int
    p50_ms: float
    p99_ms: float
    max_ms: float

    @classmethod
    def of(cls, ordered: Sequence[float]) -> Self:
        def quantile(share: float) -> float:
            return round(ordered[min(int(len(ordered) * share), len(ordered) - 1)], 1) if ordered else 0.0

        return cls(len(ordered), quantile(0.5), quantile(0.99), quantile(1.0))


@dataclass(frozen=True)
class Report:
    seed: int | None
    """None: nobody knows any more."""
    minutes: float
    plant: str
    server: str
    took_s: float
    sorts: dict[str, int]
    duplicates: dict[str, int]
    strikes: dict[str, int]
    not_now: dict[str, dict[str, int]]
    killed: dict[str, int]
    """How many processes of each sort, by a strike's own hand; workers of a killed master do not count."""
    branches: dict[str, int]
    longest_stall_s: float
    machine_stood_s: float
    """How long the harness itself did not run: a machine that was suspended, or far too busy."""
    waits: dict[str, Waits]
    violations: list[tuple[str, str, str]]
    """(rule, what is wrong, jid)."""
    not_judged: Sequence[str] = ()
    """What could not be, with the reason: sentences."""
    lacking: dict[str, list[str]] = field(default_factory=dict)
    """Of `not_now`, the reasons that are for want of something that the machine does not offer."""
    began: str = ""
    """The time of day, UTC; this and the next two are "" where the run has not kept it."""
    ganger: str = ""
    server_version: str = ""
    judged_by: str = ""
    """The ganger whose rules these are."""
    judged_again: bool = False
    """Long after the run, from what it kept."""

    @property
    def ok(self) -> bool:
        """Everything was judged, and nothing was wrong."""
        return not self.violations and not self.not_judged

    def document(self) -> dict[str, Any]:
        """For --json."""
        return {"ok": self.ok, **asdict(self)}

    def tables(self) -> list[tuple[str, list[tuple[str, str]]]]:
        """(title, rows of two columns) for people."""
        count = "{:,}".format
        known = [name for name in SORTS if name in self.sorts or not self.not_judged]
        jobs = [(LABELS.get(name, name), count(self.sorts.get(name, 0))) for name in known]
        jobs += [(name, count(n)) for name, n in sorted(self.sorts.items()) if name not in SORTS]
        strikes = [(name, self._struck(name)) for name in sorted(self.strikes)]
        twice = [(LABELS.get(name, name), count(n)) for name, n in sorted(self.duplicates.items())]
        waits = [
            (when, f"p50 {w.p50_ms:,} ms, p99 {w.p99_ms:,} ms, longest {w.max_ms:,} ms, {w.jobs:,} jobs")
            for when, w in self.waits.items()
        ]
        waits.append(("longest stall", f"{self.longest_stall_s:.1f} s in which no job ended"))
        if self.machine_stood_s:
            waits.append(("the machine itself", f"stood still for {self.machine_stood_s:.0f} s"))
        return [
            ("Jobs", jobs),
            ("Begun again: runs, by reason", twice or [("none", "")]),
            ("Faults", strikes),
            ("Killed", [(name, count(n)) for name, n in sorted(self.killed.items())]),
            ("Rare branches", [(name, count(n)) for name, n in self.branches.items() if n]),
            ("From push to begin", waits),
        ]

    def _struck(self, name: str) -> str:
        """How often; how often not, as another nemesis was at it; and what is not to be had here."""
        lacks, reasons = self.lacking.get(name, ()), self.not_now.get(name, {})
        skipped = {reason: n for reason, n in reasons.items() if reason not in lacks}
        told = [f"{sum(skipped.values()):,} skipped, mostly: {_mostly(skipped)}"] if skipped else []
        told += [f"not possible here: {reason}" for reason in lacks]
        return f"{self.strikes[name]:,}" + (f" ({'; '.join(told)})" if told else "")

    def origin(self) -> str:
        """When, and of what; and that it is judged again."""
        ran = [self.began, f"ganger {self.ganger}" if self.ganger else "", self.server_version]
        told = ", ".join(each for each in ran if each) or "when and of what ganger is not known"
        return told + (f"; judged again, by ganger {self.judged_by}" if self.judged_again else "")


SORTS = (
    *("pushed", "acknowledged", "unknown", "refused", "executed", "lost"),
    *("duplicated", "duplicated by the rewind alone"),
    *("dead", "exhausted", "expired", "cancelled"),
)
LABELS = {
    "duplicated": "duplicated: jobs that began again",
    "duplicated by the rewind alone": "of these by the harness' own rewind alone",
    "replayed": "replayed, by the harness' own rewind",
}
"""What the names of some say to people."""


def _mostly(reasons: dict[str, int]) -> str:
    return max(reasons, key=lambda reason: reasons[reason])
