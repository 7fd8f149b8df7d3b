"""Measure the peers beside ganger: `make peers`, or `benchmarks/peers/.venv/bin/python
benchmarks/peers/run.py`.

--quick      three minutes instead of twelve; the page is left alone unless --write is given too
--write      fill the section of docs/performance.md (what a full run does by itself); --no-write: don't
--only A,B   some systems; --cases throughput,idle,crash: some cases
--from FILE  make the section from an earlier run's JSON, and measure nothing
--keep       leave the logs where they are, and say where
--json FILE  where the figures go (docs/peers.json)
"""

import argparse
import contextlib
import datetime
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import page
import psutil
from cases import Bench, Figures, NotDone, idleness, memory, throughput
from crash import crash_run
from drivers import ALL
from drivers.celery import RejectingCelery
from drivers.driver import HERE, Driver
from pushing import ProducerFailed
from servers import Server

DOCS = HERE.parent.parent / "docs"
PAGE = DOCS / "performance.md"
CASES = ("throughput", "idle", "crash")
ROUNDS, TICKS = 3, 120
QUICK_SCALE, QUICK_TICKS = 0.25, 20


def main() -> int:
    given = arguments()
    if given.source:
        found = json.loads(Path(given.source).read_text())
    else:
        chosen = [one for one in ALL if not given.only or one.name.lower() in given.only.lower().split(",")]
        missing = {one.name: why for one in chosen if (why := one.missing())}
        for name, why in missing.items():
            print(f"{name} is left out: {why}", file=sys.stderr)
        drivers = [one for one in chosen if one.name not in missing]
        found = measure(drivers, given.cases.split(","), quick=given.quick, keep=given.keep) | {
            "missing": missing
        }
        Path(given.json).write_text(json.dumps(found, indent=1) + "\n")
    section = page.section(found)
    print(section)
    if given.write or (given.write is None and not given.quick and not given.only and not given.source):
        PAGE.write_text(page.filled(PAGE.read_text(), section))
        print(f"\nwritten into {PAGE}", file=sys.stderr)
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--write", action=argparse.BooleanOptionalAction, default=None)
    parser.add_argument("--only", default="")
    parser.add_argument("--cases", default=",".join(CASES))
    parser.add_argument("--from", dest="source", default="")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--json", default=str(DOCS / "peers.json"))
    return parser.parse_args()


def measure(drivers: Sequence[Driver], cases: Sequence[str], *, quick: bool, keep: bool) -> dict[str, Any]:
    rounds, ticks = (1, QUICK_TICKS) if quick else (ROUNDS, TICKS)
    found: dict[str, Any] = {
        "quick": quick,
        "measured_on": machine() | {"rounds": rounds, "ticks": ticks},
        "systems": {one.name: described(one) for one in drivers},
    }
    systems = found["systems"]
    with stage(QUICK_SCALE if quick else 1.0, keep) as bench:
        found["measured_on"]["redis"] = bench.servers[False].version()
        if "throughput" in cases:
            for number in range(rounds):
                for one in drivers:
                    last = number == rounds - 1
                    figures = attempt(systems[one.name], "throughput", throughput, bench, one, load=last)
                    systems[one.name]["turns"].append(figures)
                    systems[one.name]["figures"] |= {
                        k: v for k, v in figures.items() if k.startswith("load_")
                    }
        if "idle" in cases:
            for one in drivers:
                figures = attempt(systems[one.name], "idle", idleness, bench, one)
                if one.python:
                    figures |= attempt(systems[one.name], "memory with pandas", memory, bench, one, "pandas")
                systems[one.name]["figures"] |= figures
        if "crash" in cases:
            found["crash"] = crash(bench.directory, drivers, ticks)
    return found


def attempt(
    system: dict[str, Any], case: str, measure: Callable[..., Figures], *what: Any, **how: Any
) -> Figures:
    """The case's figures; none, and the reason noted, where the system didn't get through it."""
    print(f"{datetime.datetime.now():%H:%M:%S} {case}: {what[1].name}", file=sys.stderr)
    try:
        return measure(*what, **how)
    except (NotDone, ProducerFailed) as failed:
        system["failed"][case] = str(failed)
        return {}


def crash(directory: Path, drivers: Sequence[Driver], ticks: int) -> dict[str, Any]:
    print(f"{datetime.datetime.now():%H:%M:%S} crash run, all at once", file=sys.stderr)
    crashing = [*drivers, *(RejectingCelery() for one in drivers if one.name == "Celery")]
    results = crash_run(directory, crashing, ticks)
    return {
        one.name: results[one.name] | {"limit": one.limit, "harm": one.harm, "settings": one.crash_settings}
        for one in crashing
    }


def described(one: Driver) -> dict[str, Any]:
    return {
        "version": one.version(),
        "at_least_once": one.at_least_once,
        "redelivered": one.redelivered,
        "settings": one.settings,
        "turns": [],
        "figures": {},
        "failed": {},
    }


@contextlib.contextmanager
def stage(scale: float, keep: bool) -> Iterator[Bench]:
    """Both servers, in a directory that is removed at the end unless it is to be kept."""
    directory = Path(tempfile.mkdtemp(prefix="ganger-peers-"))
    servers = []
    try:
        for cluster in (False, True):
            servers.append(Server(directory / f"server-{cluster:d}", cluster=cluster))
        for server in servers:
            server.wait_ready()
        yield Bench(directory, *servers, scale)
    finally:
        for server in servers:
            server.stop()
        if keep:
            print(f"the logs are in {directory}", file=sys.stderr)
        else:
            shutil.rmtree(directory, ignore_errors=True)


def machine() -> dict[str, Any]:
    return {
        "date": f"{datetime.date.today()}",
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30),
        "processor": platform.machine(),
        "load": os.getloadavg()[0],
        "python": platform.python_version(),
        "node": said("node", "--version").lstrip("v"),
        "ruby": said("ruby", "-e", "print RUBY_VERSION"),
    }


def said(*command: str) -> str:
    if not shutil.which(command[0]):
        return "none"
    return subprocess.run(command, capture_output=True, text=True, timeout=30).stdout.strip()


if __name__ == "__main__":
    raise SystemExit(main())
