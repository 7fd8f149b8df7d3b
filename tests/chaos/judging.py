"""The verdict about a chaos run that is over: the looks at its files that checker.py needs, and the report of
what it found. What the servers still hold was looked at before, by leftovers.py."""

import json
import mmap
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from chaos import branches, checker, ends, groups, history, serving, timing, totals, versions
from chaos.checker import Final, Findings
from chaos.evidence import Evidence
from chaos.journal import reading, strikes
from chaos.kept import Over
from chaos.pauses import promised
from chaos.report import Report, Waits
from chaos.servers import PASSWORD

BY_LETTERS = frozenset({"I1", "I6", "I10", "I15"})
UNJUDGED = (
    "I1, I6, I10, I12, I15: which jobs are dead letters is not known; what did not succeed may be lost",
    "I13: there are no counters",
    "I14, but for passwords in logs: leases, permits, bodies, consumers and processes that were left",
    "the rare branches that servers count, and whether each nemesis did its work",
)
"""What can't be judged of a run whose last state was not kept; and the rules that ask for letters."""


def judge(root: Path, over: Over) -> Report:
    """Everything read and checked; what can't be without the last state of the servers is named."""
    notes = strikes(root)
    evidence, ended, told = Evidence(), ends.Ends(), list[str]()
    evidence.read_record(notes)
    ended.read_record(notes)
    for log in sorted(root.glob("*/log.*")):
        with reading(log):
            lines = list(_log_lines(log, over.apart_ns, ended))
            evidence.read_log(lines, log.parent.name)
            ended.read_log(lines, log.parent.name, log.name)
        if log.stat().st_size and _holds(log, PASSWORD):
            told.append(log.parent.name)
    known = history.read(root / "journal", promised(evidence.pauses))
    final = over.last or Final()
    found = checker.check_jobs(known, evidence, final)
    groups.check_groups(found, known, evidence, final)
    totals.check_totals(found, known, evidence, final)
    serving.check_serving(found, known, evidence)
    at = {note["what"]: note["at_ns"] for note in notes}
    timing.check_timing(found, known, evidence, final, (at["harm begins"], at["pushing ends"]))
    with reading(root / "producers.log"):
        ended.hear_producers((root / "producers.log").read_text(errors="replace"))
    ends.check_ends(found, ended, evidence)
    ends.check_work(found)
    for host in told:
        found.wrong("I14", f"the log of {host} tells the servers' password")
    counts = branches.taken(Counter(over.errors), evidence, known, found)
    for each in over.struck:
        if each.trouble:
            found.wrong("nemesis", each.trouble)
    if over.needs is None:
        when = branches.instants(evidence, known)
        missed = branches.missed(over.struck, counts, when, evidence.strikes)
    else:
        missed = (f"{name}: needed, and never taken" for name in over.needs if not counts[name])
    for text in missed:
        found.wrong("branches", text)
    if over.last is None:
        _leave_open(found)
    begin_ns, end_ns = at["harm begins"], at["healed"]
    stood = [(note["begin_ns"], note["end_ns"]) for note in notes if note["what"] == "stood still"]
    return Report(
        seed=over.seed,
        minutes=over.minutes,
        plant=over.plant,
        server=over.server,
        took_s=(over.ended_ns - over.began_ns) / 1e9,
        sorts=dict(found.sorts),
        duplicates=dict(found.duplicates),
        strikes={each.name: each.count for each in over.struck},
        not_now={each.name: dict(each.not_now) for each in over.struck if each.not_now},
        killed=dict(
            Counter(
                _sort_of(note)
                for note in notes
                if note["what"] == "kill" or note["what"].startswith("killed a ")
            )
        ),
        branches=counts,
        longest_stall_s=known.longest_stall_s(over.began_ns, at["pushing ends"], stood),
        machine_stood_s=sum(end - begin for begin, end in stood) / 1e9,
        waits={
            "before": Waits.of(known.waits_ms(0, begin_ns)),
            "during": Waits.of(known.waits_ms(begin_ns, end_ns)),
            "after": Waits.of(known.waits_ms(end_ns, over.ended_ns)),
        },
        violations=[(each.rule, each.text, each.jid) for each in found.violations],
        not_judged=UNJUDGED if over.last is None else (),
        lacking={each.name: list(each.lacking) for each in over.struck if each.lacking},
        began=_instant(over.began_ns + over.apart_ns) if over.last else "",
        ganger=over.ganger,
        server_version=over.server_version,
        judged_by=versions.of_ganger(),
    )


def _leave_open(found: Findings) -> None:
    """Nobody knows which jobs are dead letters: what has not succeeded may be one."""
    found.violations = [each for each in found.violations if each.rule not in BY_LETTERS]
    found.sorts["lost, or a dead letter"] = found.sorts.pop("lost")


def _instant(ns: int) -> str:
    return datetime.fromtimestamp(ns // 1_000_000_000, UTC).isoformat()


def _sort_of(note: dict[str, Any]) -> str:
    """What a note says was killed."""
    return str(note.get("of", note["what"].removeprefix("killed a "))).partition(" of ")[0]


def _holds(path: Path, secret: str) -> bool:
    """Whether a file that is not empty tells it, as it is or as it stands in a URL."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
        return any(text.find(word.encode()) >= 0 for word in (secret, quote(secret)))


def _log_lines(path: Path, apart_ns: int, ended: ends.Ends) -> Iterator[dict[str, Any]]:
    """The lines of a host's log, their instants on the monotonic clock of its machine. The last one may be
    half written."""
    with path.open(errors="replace") as file:
        for text in file:
            if not (text.startswith("{") and text.endswith("}\n")):
                if text.endswith("\n"):
                    ended.strange(f"{path.parent.name}, {path.name}", text)
                continue
            line: dict[str, Any] = json.loads(text)
            at_s = datetime.fromisoformat(line["at"]).timestamp()
            yield line | {"at_ns": int(at_s * 1e9) - apart_ns}
