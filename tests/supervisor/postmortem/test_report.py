"""The record of a death: the names that `ganger crashes --json` promises, and lines for people."""

import json
import signal
from dataclasses import replace

from gangerd.postmortem import report
from gangerd.postmortem.evidence import Evidence, Run, Usage
from gangerd.postmortem.verdict import judge

PROMISED = {
    *("jid", "type", "queue", "attempt", "cause", "signal", "exit_code", "worker", "pid", "host"),
    *("generation", "at_ms", "ran_ms", "peak_rss_bytes", "stack", "evidence"),
}
EVIDENCE = Evidence(
    worker="00000000000000aa",
    slot=3,
    pid=4711,
    generation=1,
    host="h1",
    at_ms=1_800_000_000_000,
    wait_status=signal.SIGSEGV,
    phase="running",
    run=Run(jid="j" * 29, type="mail.send", queue="mail", attempt=2, sequence=7, ran_ms=1234),
    stack="Fatal Python error: Segmentation fault",
    usage=Usage(user_s=1.5, system_s=0.25, max_rss_bytes=100 << 20),
    peak_rss_bytes=100 << 20,
    peak_of="job",
)


def test_the_record_keeps_its_promise() -> None:
    record = report.record(EVIDENCE, judge(EVIDENCE))
    assert set(record) >= PROMISED
    assert json.loads(json.dumps(record)) == record
    assert (record["jid"], record["cause"], record["signal"]) == ("j" * 29, "segfault", 11)
    assert (record["ran_ms"], record["peak_of"], record["rusage"]["user_s"]) == (1234, "job", 1.5)


def test_a_death_outside_a_job_has_the_same_fields() -> None:
    outside = replace(EVIDENCE, run=None, usage=None)
    record = report.record(outside, judge(outside))
    assert set(record) == set(report.record(EVIDENCE, judge(EVIDENCE)))
    assert (record["jid"], record["ran_ms"], record["rusage"]) == ("", 0, {})


def test_a_huge_stack_keeps_its_innermost_frames() -> None:
    deep = replace(EVIDENCE, stack="innermost" + "x" * 100_000)
    stack = report.record(deep, judge(deep))["stack"]
    assert stack.startswith("innermost") and stack.endswith("[cut]") and len(stack) < 10_000


def test_one_line_for_people() -> None:
    line = report.sentence(EVIDENCE, judge(EVIDENCE))
    assert "mail.send" in line and "segfault" in line and "1234 ms" in line and "SIGSEGV" in line
    outside = replace(EVIDENCE, run=None)
    assert "outside a job" in report.sentence(outside, judge(outside))
