"""Histories for the tests of the checker: lines of journals, as producers and handlers would write them."""

from collections.abc import Iterator
from typing import Any

from chaos.checker import Final, Findings, check_jobs
from chaos.evidence import Evidence, S
from chaos.groups import check_groups
from chaos.history import History, Lines
from chaos.kinds import BY_NAME
from chaos.pauses import promised
from chaos.serving import check_serving
from chaos.totals import check_totals
from ganger import jid as jids

T = 1_000 * S
"""Where the histories begin; their instants are seconds from here."""
WALL_MS = 1_800_000_000_000


class Story:
    """Instants in seconds."""

    def __init__(self) -> None:
        self.pushes: list[str] = []
        self.runs: dict[int, list[str]] = {}
        self.evidence = Evidence()
        self.final: dict[str, Any] = {}
        self._calls = self._entries = 0

    def push(
        self, kind: str, at: float = 0, *, how: str = "A", due: float = 0, expires: float = 0, **more: Any
    ) -> str:
        """`how`: A acknowledged, U unknown, Z failed, "" nothing was heard."""
        self._calls += 1
        of = BY_NAME[kind]
        (jid,) = jids.mint(of.queue, more.get("partition", 3))
        wall = [int(WALL_MS + 1000 * when) if when else 0 for when in (due, expires)]
        extra = more.get("extra", "-")
        self.pushes.append(f"I {ns(at)} {self._calls} {of.code} {jid[:-3]} 1 {wall[0]} {wall[1]} {extra}")
        if how in ("A", "U"):
            self.pushes.append(f"{how} {ns(more.get('heard', at))} {jid[:-3]} 0 0")
        if how:
            self.pushes.append(f"Z {ns(at)} {self._calls}")
        return jid

    def run(
        self,
        jid: str,
        kind: str,
        begin: float,
        end: float | None,
        *,
        ok: bool = True,
        pid: int = 1,
        **more: Any,
    ) -> str:
        """A run of a handler; its delivery. `end` None: cut short."""
        self._entries += 1
        entry = more.get("entry", f"{self._entries}-0")
        wall, code = int(WALL_MS + 1000 * begin), BY_NAME[kind].code
        lines = self.runs.setdefault(pid, [])
        about = f"{more.get('attempt', 1)} {entry} {ns(begin)} {wall} {code} {more.get('extra', '-')}"
        lines.append(f"B {jid} {about}")
        if end is not None:
            lines.append(f"{'E' if ok else 'R'} {jid} {entry} {ns(end)}")
        return str(entry)

    def read(self) -> History:
        history = History(promised(self.evidence.pauses))
        history.read_pushes(line.split() for line in self.pushes)

        def source() -> Iterator[tuple[int, Lines]]:
            for pid, lines in self.runs.items():
                yield pid, (line.split() for line in lines)

        history.read_runs(source)
        return history

    def check(self) -> Findings:
        history = self.read()
        final = Final(**self.final)
        found = check_jobs(history, self.evidence, final)
        check_groups(found, history, self.evidence, final)
        check_totals(found, history, self.evidence, final)
        check_serving(found, history, self.evidence)
        return found


def ns(at: float) -> int:
    return T + int(at * S)


def rules(story: Story) -> list[str]:
    return sorted({each.rule for each in story.check().violations})
