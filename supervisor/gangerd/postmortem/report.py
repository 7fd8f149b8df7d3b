"""A post-mortem as one dict: for the log, and for the list that `ganger crashes` shows.

Pure. The names are those of the public list (fields may be added, never renamed). Called by the master.
"""

from typing import Any

from gangerd.postmortem.evidence import Evidence
from gangerd.postmortem.verdict import Verdict

MAX_STACK_CHARS = 8_192
"""The innermost frames come first, so the beginning is kept."""


def record(evidence: Evidence, verdict: Verdict) -> dict[str, Any]:
    """Everything known of one death. jid, type and queue are empty for a death outside a job."""
    run = evidence.run
    return {
        "jid": run.jid if run else "",
        "type": run.type if run else "",
        "queue": run.queue if run else "",
        "attempt": run.attempt if run else 0,
        "cause": verdict.cause,
        "signal": verdict.signal,
        "exit_code": verdict.exit_code,
        "worker": evidence.worker,
        "slot": evidence.slot,
        "pid": evidence.pid,
        "host": evidence.host,
        "generation": evidence.generation,
        "at_ms": evidence.at_ms,
        "ran_ms": run.ran_ms if run else 0,
        "lived_ms": evidence.lived_ms,
        "phase": evidence.phase,
        "peak_rss_bytes": evidence.peak_rss_bytes,
        "peak_of": evidence.peak_of,
        "rusage": rusage(evidence),
        "stack": stack(evidence),
        "evidence": verdict.evidence,
        "uses_attempt": verdict.uses_attempt,
        "counts_as_crash": verdict.counts_as_crash,
    }


def stack(evidence: Evidence) -> str:
    """The Python stack as it was written, cut to MAX_STACK_CHARS."""
    if len(evidence.stack) <= MAX_STACK_CHARS:
        return evidence.stack
    return evidence.stack[:MAX_STACK_CHARS] + "\n[cut]"


def rusage(evidence: Evidence) -> dict[str, float]:
    """What the worker's whole life has used; empty when it was not reaped."""
    usage = evidence.usage
    if usage is None:
        return {}
    return {"user_s": usage.user_s, "system_s": usage.system_s, "max_rss_bytes": usage.max_rss_bytes}


def sentence(evidence: Evidence, verdict: Verdict) -> str:
    """The post-mortem in one line, for people."""
    who = f"worker {evidence.worker} (pid {evidence.pid}, slot {evidence.slot})"
    if evidence.run is None:
        return f"{who} died outside a job: {verdict.cause}. {verdict.evidence[0]}"
    run = evidence.run
    return (
        f"{run.type} {run.jid} (attempt {run.attempt}) ended {who} after {run.ran_ms} ms: "
        f"{verdict.cause}. {verdict.evidence[0]}"
    )
