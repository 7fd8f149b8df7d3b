"""The table of causes: what must be known for each, and what it costs the job."""

import signal
from dataclasses import replace
from typing import Any

import pytest

from gangerd.postmortem.evidence import Evidence, Intent, Run
from gangerd.postmortem.verdict import judge
from gangerd.postmortem.wait_status import signal_name

RUN = Run(jid="j" * 29, type="mail.send", queue="mail", attempt=2, sequence=7, ran_ms=1234)
INSIDE = Evidence(
    worker="00000000000000aa",
    slot=3,
    pid=4711,
    generation=1,
    host="h1",
    at_ms=1,
    wait_status=signal.SIGKILL,
    phase="running",
    run=RUN,
)
KERNEL_LINE = "oom-kill:constraint=CONSTRAINT_NONE,global_oom,task_memcg=/,task=python,pid=4711,uid=0"


def exited(code: int) -> int:
    return code << 8


TABLE: dict[str, tuple[dict[str, Any], str, bool, bool]] = {
    "SIGSEGV": ({"wait_status": signal.SIGSEGV}, "segfault", True, True),
    "SIGSEGV with a core": ({"wait_status": signal.SIGSEGV | 0x80}, "segfault", True, True),
    "SIGABRT": ({"wait_status": signal.SIGABRT}, "abort", True, True),
    "SIGBUS": ({"wait_status": signal.SIGBUS}, "bus_error", True, True),
    "SIGILL": ({"wait_status": signal.SIGILL}, "illegal_instruction", True, True),
    "SIGFPE": ({"wait_status": signal.SIGFPE}, "fp_error", True, True),
    "SIGTERM": ({"wait_status": signal.SIGTERM}, "signal_15", True, True),
    "SIGSYS": ({"wait_status": signal.SIGSYS}, "signal_31", True, True),
    "a real-time signal": ({"wait_status": 39}, "signal_39", True, True),
    "exit 0 inside a job": ({"wait_status": exited(0)}, "exit", True, True),
    "exit 3": ({"wait_status": exited(3)}, "exit", True, True),
    "SIGKILL, sender unknown": ({}, "killed", True, True),
    "SIGKILL, cgroup counter unmoved": ({"oom_kills": 0}, "killed", True, True),
    "SIGKILL with oom counter moved": ({"oom_kills": 1}, "oom_kill", True, True),
    "SIGKILL of a whole group": ({"oom_kills": 3}, "oom_kill", True, True),
    "SIGKILL named by the kernel": ({"kernel_line": KERNEL_LINE}, "oom_kill", True, True),
    "named though its own counter did not move": (
        {"kernel_line": KERNEL_LINE, "oom_kills": 0},
        "oom_kill",
        True,
        True,
    ),
    "SIGKILL with our own intent for THIS run": ({"intent": Intent("timeout", 7)}, "timeout", True, True),
    "memory limit of our own": ({"intent": Intent("memory_limit", 7)}, "memory_limit", True, True),
    "cancelled": ({"intent": Intent("cancelled", 7)}, "cancelled", False, False),
    "permit lost": ({"intent": Intent("permit_lost", 7)}, "permit_lost", False, False),
    "shutdown, seen": ({"intent": Intent("released", 7)}, "released", False, False),
    "shutdown, unseen": ({"intent": Intent("released", None)}, "released", False, False),
    "intent goes before a counter": ({"intent": Intent("timeout", 7), "oom_kills": 1}, "timeout", True, True),
    "intent for another run is ignored": ({"intent": Intent("timeout", 6)}, "killed", True, True),
    "intent for nobody is ignored": ({"intent": Intent("released", 0)}, "killed", True, True),
    "intent for another run, then OOM": (
        {"intent": Intent("timeout", 6), "oom_kills": 1},
        "oom_kill",
        True,
        True,
    ),
    "segfault before our kill came": (
        {"wait_status": signal.SIGSEGV, "intent": Intent("timeout", 7)},
        "segfault",
        True,
        True,
    ),
    "exit before our kill came": (
        {"wait_status": exited(1), "intent": Intent("released", 7)},
        "exit",
        True,
        True,
    ),
    "a child's OOM is not ours": ({"wait_status": signal.SIGSEGV, "oom_kills": 1}, "segfault", True, True),
    "exit after a child's OOM": ({"wait_status": exited(1), "oom_kills": 1}, "exit", True, True),
    "found by a successor": ({"wait_status": None}, "lost", False, False),
    "found by a successor, with all else": (
        {"wait_status": None, "oom_kills": 1, "intent": Intent("timeout", 7)},
        "lost",
        False,
        False,
    ),
}


@pytest.mark.parametrize("case", TABLE)
def test_the_table(case: str) -> None:
    changes, cause, uses_attempt, counts_as_crash = TABLE[case]
    verdict = judge(replace(INSIDE, **changes))
    assert (verdict.cause, verdict.uses_attempt, verdict.counts_as_crash) == (
        cause,
        uses_attempt,
        counts_as_crash,
    )
    assert verdict.inside_job
    assert verdict.evidence and all(line.strip() and "None" not in line for line in verdict.evidence)


@pytest.mark.parametrize("case", TABLE)
def test_a_death_outside_a_job_is_held_against_no_job(case: str) -> None:
    changes, *_ = TABLE[case]
    verdict = judge(replace(INSIDE, **{**changes, "run": None, "phase": "claiming"}))
    assert not (verdict.uses_attempt or verdict.counts_as_crash or verdict.inside_job)
    assert "It ran no job (it was claiming)." in verdict.evidence


@pytest.mark.parametrize(
    ("intent", "cause"),
    [
        (Intent("released", 0), "released"),
        (Intent("released", None), "released"),
        (Intent("timeout", 7), "killed"),
    ],
)
def test_our_own_kill_between_jobs(intent: Intent, cause: str) -> None:
    assert judge(replace(INSIDE, run=None, intent=intent)).cause == cause


def test_signal_and_code_are_told_apart() -> None:
    verdict = judge(replace(INSIDE, wait_status=signal.SIGSEGV | 0x80))
    assert (verdict.signal, verdict.exit_code) == (signal.SIGSEGV, None)
    assert "A core was dumped." in verdict.evidence
    verdict = judge(replace(INSIDE, wait_status=exited(139)))
    assert (verdict.signal, verdict.exit_code) == (None, 139)
    assert "how a shell says SIGSEGV" in verdict.evidence[0]
    verdict = judge(replace(INSIDE, wait_status=None))
    assert (verdict.signal, verdict.exit_code) == (None, None)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"oom_kills": 1, "kernel_line": KERNEL_LINE}, KERNEL_LINE),
        ({"intent": Intent("timeout", 6)}, "meant for run 6"),
        ({"intent": Intent("timeout", 7), "wait_status": signal.SIGSEGV}, "died of something else first"),
        ({"wait_status": exited(1), "oom_kills": 2}, "perhaps a child of the job"),
        ({}, "an OOM kill can't be ruled out"),
        ({"run": None, "garbled": "wrong magic"}, "wrong magic"),
        ({"notes": ("2 processes were left behind.",)}, "2 processes were left behind."),
    ],
)
def test_circumstances_are_told(changes: dict[str, Any], said: str) -> None:
    assert said in "\n".join(judge(replace(INSIDE, **changes)).evidence)


def test_an_oom_kill_can_be_ruled_out_with_a_cgroup() -> None:
    assert "ruled out" not in "\n".join(judge(replace(INSIDE, oom_kills=0)).evidence)


def test_signal_names() -> None:
    assert [signal_name(number) for number in (9, 11, 37, 77)] == [
        "SIGKILL",
        "SIGSEGV",
        f"SIGRTMIN+{37 - signal.SIGRTMIN}",
        "signal 77",
    ]
