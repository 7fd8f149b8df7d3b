"""HUP under work: with an application that is good, with one that can't be imported, and mended again."""

from pathlib import Path
from typing import Any

from systemd_lab.guest.lab import (
    UNIT,
    begun,
    check,
    document,
    done,
    ended,
    ganger,
    logged,
    prop,
    push,
    push_many,
    ran,
    sh,
    took,
    until,
)

APP = Path("/srv/lab/lab_jobs.py")
BUSY = [f"reload{number}" for number in range(20)]


def outcomes() -> list[dict[str, Any]]:
    return sorted(logged("reload.done") + logged("reload.failed"), key=lambda line: line["at"])


def main() -> None:
    text, master = APP.read_text(), prop("MainPID")
    push_many(BUSY, 0.5)
    begun(BUSY[0])
    code, seconds, said = took("systemctl", "reload", UNIT)
    check(code == 0, "systemctl reload is heard", f"{seconds:.1f} s {said}")
    check(
        until(outcomes, "the reload's end") and outcomes()[-1]["event"] == "reload.done",
        "it is done",
        outcomes(),
    )
    check(
        prop("MainPID") == master and "generation 2" in prop("StatusText"),
        "in a new generation",
        prop("StatusText"),
    )
    check(until(lambda: done(BUSY), "jobs end"), "the jobs under way meanwhile are done")
    twice = [name for name in BUSY if len(ran(name)) != 2]
    check(not twice, "each of them once", twice)
    states = {worker["generation"] for worker in document("workers")}
    check(states == {2}, "every worker is of the new generation", states)

    APP.write_text(text + "\nimport no_such_module\n")
    sh("systemctl", "reload", UNIT)
    check(until(lambda: len(outcomes()) == 2, "an outcome"), "a broken application ends its reload")
    until(lambda: "no_such_module" in prop("StatusText"), "a word on why")
    check("no_such_module" in prop("StatusText"), "systemctl status says why", prop("StatusText"))
    code, said = ganger("reload", "--wait", "-c", "/etc/ganger/lab.toml")
    check(code == 1 and "no_such_module" in said, "and so does ganger reload --wait", said)
    push("work", "still")
    check(
        ended("still") and prop("ActiveState") == "active", "the old generation serves on", prop("StatusText")
    )

    APP.write_text(text)
    code, said = ganger("reload", "--wait", "-c", "/etc/ganger/lab.toml")
    check(code == 0, "mended, it is reloaded", said)
    push("work", "mended")
    check(ended("mended") and prop("MainPID") == master, "and jobs are run, by the same master")
