"""Why a worker died, and what its job has to do with it: evidence in, verdict out. Pure.

A guess is never a cause. In this order: what the kernel says of a death that SIGKILL did not make; for a
SIGKILL our own intent for this very run, then the OOM killer's counter, then its line in the log; and else
`killed`, sender unknown. An exception is not a death and never comes here. Called by the master.
"""

from dataclasses import dataclass

from gangerd.postmortem.evidence import Evidence
from gangerd.postmortem.wait_status import SIGKILL, SIGNAL_CAUSES, dumped_core, ending, signal_name

_FREE = frozenset({"lost", "released", "cancelled", "permit_lost"})
"""Causes that are not the job's doing: no attempt, no crash."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be told and done.

    Attributes:
        inside_job: a job died with it; else nothing is held against any job.
        evidence: sentences, the decisive one first.
    """

    cause: str
    signal: int | None
    exit_code: int | None
    uses_attempt: bool
    counts_as_crash: bool
    inside_job: bool
    evidence: list[str]


def judge(evidence: Evidence) -> Verdict:
    """The verdict on one death."""
    number, exit_code = ending(evidence.wait_status)
    cause, reason = _cause(evidence, number, exit_code)
    inside = evidence.run is not None
    blamed = inside and cause not in _FREE
    return Verdict(
        cause=cause,
        signal=number,
        exit_code=exit_code,
        uses_attempt=blamed,
        counts_as_crash=blamed,
        inside_job=inside,
        evidence=[reason, *_circumstances(evidence, cause, number)],
    )


def _cause(evidence: Evidence, number: int | None, exit_code: int | None) -> tuple[str, str]:
    if evidence.wait_status is None:
        return "lost", "Its master was gone and nobody could see how it ended."
    if exit_code is not None:
        return "exit", f"The process ended by itself with exit code {exit_code}{_shell_hint(exit_code)}."
    assert number is not None
    if number != SIGKILL:
        cause = SIGNAL_CAUSES.get(number, f"signal_{number}")
        return cause, f"It ended of {signal_name(number)}, by the kernel's word."
    return _cause_of_sigkill(evidence)


def _cause_of_sigkill(evidence: Evidence) -> tuple[str, str]:
    intent = evidence.intent
    if intent is not None and _meant_this(evidence):
        return intent.cause, _INTENT_REASONS.get(intent.cause, f"The master ended it: {intent.cause}.")
    if evidence.oom_kills:
        return "oom_kill", "The kernel ended it for its memory: its own memory cgroup counted that."
    if evidence.kernel_line:
        return "oom_kill", f"The kernel's log says so: {evidence.kernel_line}"
    return "killed", "It ended of SIGKILL, and nothing tells who sent it."


_INTENT_REASONS = {
    "timeout": "The master ended this run with SIGKILL: it was past its hard deadline.",
    "memory_limit": "The master ended this run with SIGKILL: it was past its memory limit.",
    "cancelled": "The master ended this run with SIGKILL: it was cancelled.",
    "permit_lost": "The master ended this run with SIGKILL: others may have its queue's permit by now.",
    "released": "The master ended it with SIGKILL: a shutdown could not wait, or it hung outside a job.",
}


def _meant_this(evidence: Evidence) -> bool:
    """Whether our own SIGKILL was for what was under way at the death."""
    intent, run = evidence.intent, evidence.run
    if intent is None:
        return False
    if intent.sequence is None:
        return True
    return intent.sequence == (run.sequence if run is not None else 0)


def _circumstances(evidence: Evidence, cause: str, number: int | None) -> list[str]:
    """What else is known, decisive or not: it may matter to who reads the post-mortem."""
    told: list[str] = []
    intent = evidence.intent
    if intent is not None and number != SIGKILL and evidence.wait_status is not None:
        told.append(f"The master was about to end it ({intent.cause}), but it died of something else first.")
    elif intent is not None and number == SIGKILL and not _meant_this(evidence):
        told.append(f"A SIGKILL of ours ({intent.cause}) was meant for run {intent.sequence}, not for this.")
    if evidence.oom_kills and cause != "oom_kill":
        counted = "Its memory cgroup counted an OOM kill meanwhile"
        told.append(f"{counted}: perhaps a child of the job.")
    if evidence.kernel_line and evidence.oom_kills and cause == "oom_kill":
        told.append(f"The kernel's log: {evidence.kernel_line}")
    if cause == "killed" and evidence.oom_kills is None and evidence.kernel_line is None:
        told.append("It had no memory cgroup of its own, so an OOM kill can't be ruled out.")
    if dumped_core(evidence.wait_status):
        told.append("A core was dumped.")
    if evidence.garbled:
        told.append(f"Its page could not be read ({evidence.garbled}), so what it ran is not known.")
    elif evidence.run is None:
        told.append(f"It ran no job{f' (it was {evidence.phase})' if evidence.phase else ''}.")
    return [*told, *evidence.notes]


def _shell_hint(exit_code: int) -> str:
    """A shell reports the death of its own child so."""
    if 128 < exit_code <= 128 + 64:
        return f", which is how a shell says {signal_name(exit_code - 128)}"
    return ""
