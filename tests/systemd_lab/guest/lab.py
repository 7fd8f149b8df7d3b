"""Words that the checks are written in: say how one went, ask systemd, wait, look at what jobs have done."""

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

GANGER = "/srv/lab/.venv/bin/ganger"
DONE = Path("/var/lib/ganger/lab")
"""A file a job: a word for each of its beginnings and ends."""
UNIT = "ganger@lab"
SHUTDOWN_S = 6
WATCHDOG_S = 8


def check(good: bool, what: str, detail: object = "") -> None:
    """The detail helps whoever looks for what went wrong."""
    more = " ".join(str(detail).split())[:600]
    print(f"{'ok' if good else 'not ok'} - {what}" + (f" # {more}" if more else ""), flush=True)


def skip(what: str, reason: str) -> None:
    print(f"ok - {what} # SKIP {reason}", flush=True)


def say(text: object) -> None:
    for line in str(text).splitlines():
        print(f"#   {line}", flush=True)


def sh(*words: str, env: dict[str, str] | None = None) -> tuple[int, str]:
    """Exit code and what it said on either stream."""
    surroundings = {**os.environ, **(env or {})}
    done = subprocess.run(words, capture_output=True, text=True, env=surroundings, timeout=120)
    return done.returncode, (done.stdout + done.stderr).strip()


def took(*words: str) -> tuple[int, float, str]:
    """Exit code, seconds, output."""
    begun_s = time.monotonic()
    code, text = sh(*words)
    return code, time.monotonic() - begun_s, text


def show(*names: str, unit: str = UNIT) -> dict[str, str]:
    """Properties of a unit, by name."""
    _, text = sh("systemctl", "show", unit, "-p", ",".join(names))
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def prop(name: str, unit: str = UNIT) -> str:
    return show(name, unit=unit).get(name, "")


def until(condition: Callable[[], Any], what: str, within_s: float = 60) -> bool:
    """Look until it holds; whether it came to hold. What did not is said."""
    end_s = time.monotonic() + within_s
    while time.monotonic() < end_s:
        try:
            if condition():
                return True
        except (OSError, ValueError, KeyError, IndexError):
            pass
        time.sleep(0.1)
    say(f"not within {within_s:g} s: {what}")
    return False


def settings() -> dict[str, str]:
    """The environment in which `ganger` finds the servers."""
    known = json.loads(Path("/var/lib/servers/embedded.json").read_text())
    return {"GANGER_REDIS": known["redis"]}


def ganger(*words: str) -> tuple[int, str]:
    return sh(GANGER, *words, env=settings())


def document(*words: str) -> Any:
    """What a command prints with --json."""
    code, text = ganger(*words, "--json")
    if code:
        raise ValueError(text)
    return json.loads(text)


def push(type: str, *args: object) -> str:
    """The jid."""
    code, text = ganger("push", f"lab_jobs.{type}", *(json.dumps(each) for each in args), "--queue", "lab")
    if code:
        raise ValueError(text)
    return text.split()[-1]


def push_many(names: list[str], seconds: float) -> None:
    """Jobs that work for so long each; by the application's own push, since each command takes a second."""
    script = "import lab_jobs, sys; [lab_jobs.work.push(n, float(sys.argv[1])) for n in sys.argv[2:]]"
    surroundings = {**settings(), "PYTHONPATH": "/srv/lab", "STATE_DIRECTORY": str(DONE)}
    code, text = sh("/srv/lab/.venv/bin/python", "-c", script, str(seconds), *names, env=surroundings)
    if code:
        raise ValueError(text)


def ran(name: str) -> list[str]:
    """What the job that was given this name has noted: begin1 (of attempt 1), end1."""
    path = DONE / name
    return path.read_text().split() if path.exists() else []


def begun(name: str) -> bool:
    return until(lambda: ran(name), f"{name} begins")


def ended(name: str) -> bool:
    return until(lambda: ran(name)[-1].startswith("end"), f"{name} ends")


def done(names: list[str]) -> bool:
    """Each has come to its end at least once."""
    return all(any(word.startswith("end") for word in ran(name)) for name in names)


def journal(*more: str) -> list[str]:
    return sh("journalctl", "-u", UNIT, "-o", "cat", "--no-pager", *more)[1].splitlines()


def logged(event: str, since: str = "-b") -> list[dict[str, Any]]:
    """Lines of ganger's own log since the machine's start."""
    lines = [line for line in journal(since) if line.startswith("{") and f'"{event}"' in line]
    found = [json.loads(line) for line in lines]
    return [line for line in found if line.get("event") == event]


def leaves() -> list[Path]:
    """The workers' memory cgroups."""
    return sorted(Path("/sys/fs/cgroup", prop("ControlGroup").lstrip("/")).glob("ganger-*"))
