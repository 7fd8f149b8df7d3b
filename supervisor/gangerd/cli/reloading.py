"""`ganger reload`: ask this host's master for a new generation, and follow it until it serves or has failed.

The master is found by its status file and told by SIGHUP; what becomes of it stands in that same file, once a
second at most. Needs neither Redis nor the app."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from gangerd.cli import rendering
from gangerd.cli.connection import dir_option, file_option, json_option
from gangerd.cli.words import plural, span
from gangerd.config import EXIT_FAILED, EXIT_OK, Config
from gangerd.errors import NoMaster
from gangerd.linux import processes, shared_memory
from gangerd.recorder import HEADER_BYTES, MAGIC, HeaderWord
from gangerd.settings import build

POLL_S = 0.1
_PHASES = {
    "checking": "reading the settings",
    "importing": "importing the app",
    "canary": "waiting for its first worker",
    "rolling": "replacing the workers",
}


@click.command()
@click.option("--wait", is_flag=True, help="Until the new generation serves, or the reload has failed.")
@json_option
@file_option
@dir_option
def reload(wait: bool, as_json: bool, path: Path | None, directory: str | None) -> int:
    """Bring in new code and new settings without a pause. With --wait, exit code 1 when the old ones stay."""
    config = build(path=path, flags={"dir": directory})
    before = _report(config)
    handle, pid = _master(config, before)
    try:
        signal.pidfd_send_signal(handle, signal.SIGHUP)
        if wait:
            last = _follow(config, handle, before["reload"]["asks"], quiet=as_json)
            return _tell(pid, last, as_json)
    finally:
        os.close(handle)
    if as_json:
        rendering.document({"pid": pid, "outcome": "asked"})
    else:
        click.echo(f"asked the master (pid {pid}) to reload; `ganger status` tells how it goes")
    return EXIT_OK


def _follow(config: Config, handle: int, asks_before: int, *, quiet: bool) -> dict[str, Any]:
    """The report in which what we asked for has its answer."""
    ours, shown = 0, ""
    for report in _reports(config, handle):
        state = report["reload"]
        # The signal may be one with another's that has not been seen yet: the first count that is higher.
        if not ours and state["asks"] > asks_before:
            ours = state["asks"]
        if ours and state["answered"] >= ours:
            return report
        line = _progress(report)
        if not quiet and ours and line != shown:
            click.echo(line, err=True)
            shown = line
    raise NoMaster("the master has ended before the reload had")


def _reports(config: Config, handle: int) -> Iterator[dict[str, Any]]:
    """The status file, again and again, as long as the master lives."""
    while not processes.has_ended(handle):
        yield _report(config)
        time.sleep(POLL_S)


def _progress(report: dict[str, Any]) -> str:
    number, phase = report["reload"]["generation"], report["reload"]["phase"]
    line = f"generation {number}: {_PHASES.get(phase, phase)}"
    if phase == "rolling":
        rows = report["workers"]
        new = sum(row["generation"] == number and row["state"] == "serving" for row in rows)
        line += f", {new} of {report['workers_wanted']} are new"
    return line


def _tell(pid: int, report: dict[str, Any], as_json: bool) -> int:
    found = report["reload"]
    done, lingering = found["outcome"] == "done", found["in_older_generations"]
    if as_json:
        shown = {name: found[name] for name in ("outcome", "generation", "error", "took_ms")}
        rendering.document({"pid": pid, **shown, "in_older_generations": lingering})
    elif done:
        click.echo(f"generation {found['generation']} serves, after {span(found['took_ms'])}")
        if lingering:
            click.echo(f"in older generations {plural(lingering, 'worker')} still finish a job")
    else:
        error, serving = rendering.clean(found["error"]), report["generation"]
        click.secho(f"ganger: the reload failed, generation {serving} serves on: {error}", fg="red", err=True)
    return EXIT_OK if done else EXIT_FAILED


def _report(config: Config) -> dict[str, Any]:
    try:
        found = json.loads(config.status_file.read_bytes())
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict) or "reload" not in found:
        raise NoMaster(
            f"no master has left a report in {config.status_file}; name its directory with --dir, or its"
            " settings with -c"
        )
    return found


def _master(config: Config, report: dict[str, Any]) -> tuple[int, int]:
    """A handle (pidfd) of the master that wrote the report, and its pid. HUP ends a process that does not
    expect it, so a number alone is not enough: its recorder says when that process was started."""
    gone = NoMaster(f"the master that wrote {config.status_file} is gone")
    try:
        fd = shared_memory.open_existing(
            config.run_dir / f"recorder-{report.get('incarnation')}", writable=False
        )
        header = memoryview(os.pread(fd, HEADER_BYTES, 0).ljust(HEADER_BYTES, b"\0")).cast("Q")
        os.close(fd)
        pid = header[HeaderWord.MASTER_PID]
        handle = os.pidfd_open(pid)
    except OSError:
        raise gone from None
    if header[HeaderWord.MAGIC] != MAGIC or not processes.is_alive(pid, header[HeaderWord.MASTER_STARTED]):
        os.close(handle)
        raise gone
    return handle, pid
