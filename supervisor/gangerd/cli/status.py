"""`ganger status`: queues, workers and totals at a glance, and this host's master in its own words.

Where Redis does not answer, the master's status file is all there is: it is shown, and said so."""

import contextlib
import json
import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from gangerd.cli import rendering, tables
from gangerd.cli.connection import administering, connected, dir_option, file_option, json_option
from gangerd.cli.entry import is_wrong_setting
from gangerd.cli.words import ago, plural, span
from gangerd.config import EXIT_CONFIG, EXIT_FAILED, EXIT_OK, Config
from gangerd.errors import Usage
from gangerd.settings import build


@click.command()
@click.option("--watch", is_flag=True, help="Once a second, with rates, until Ctrl-C.")
@json_option
@file_option
@dir_option
def status(watch: bool, as_json: bool, path: Path | None, directory: str | None) -> int:
    """Queues, workers and totals at a glance. Exit code 1 when Redis does not answer, 78 when it, or the
    settings, are not fit."""
    from ganger.errors import GangerError, NotConfigured

    if watch:
        if as_json:
            raise Usage("--watch is for people: without --json.")
        return _watch(path, directory)
    config = build(path=path, flags={"dir": directory})
    local = _local(config)
    code = 0
    try:
        document = _look(path, directory)
    except GangerError as error:
        if local is None and isinstance(error, NotConfigured):
            raise
        document = {"queues": {}, "workers": [], "totals": {}, "paused_types": {}, "unserved": []}
        document["standing"] = []
        document["error"] = str(error)
        code = EXIT_CONFIG if is_wrong_setting(error) else EXIT_FAILED
    document["local"] = local
    if as_json:
        rendering.document(document)
    else:
        _print(document, config)
    return code


def _watch(path: Path | None, directory: str | None) -> int:
    from gangerd.cli import watching

    with administering(path, directory) as admin, contextlib.suppress(KeyboardInterrupt):
        rendering.live(watching.pictures(admin))
    return EXIT_OK


def _look(path: Path | None, directory: str | None) -> dict[str, Any]:
    from ganger import inspect, limiting
    from ganger.unserved import unserved

    with connected(path, directory) as (cluster, control):
        found = inspect.status(cluster, control)
        groups = inspect.all_partitions(cluster, control)
        standing = limiting.standing(limiting.survey(cluster, control, None))
        found |= {"unserved": [asdict(one) for one in unserved(cluster, control, groups)]}
        return found | {"standing": standing}


def _local(config: Config) -> dict[str, Any] | None:
    """What the master of this directory last wrote; None where there is none."""
    try:
        found = json.loads(config.status_file.read_bytes())
    except (OSError, ValueError):
        return None
    return {**found, "alive": _alive(found.get("pid"))} if isinstance(found, dict) else None


def _alive(pid: Any) -> bool:
    """Whether the master that wrote the file still runs: one that was killed could not remove it."""
    try:
        os.kill(int(pid), 0)
    except PermissionError:
        return True
    except (OSError, ValueError, TypeError, OverflowError):
        return False
    return True


def _print(document: dict[str, Any], config: Config) -> None:
    local = document["local"]
    if "error" in document:
        click.secho(f"ganger: {document['error']}", fg="red", bold=True, err=True)
        if local is None:
            click.echo(f"Nor is there a master's own report in {config.status_file}.", err=True)
            return
        click.echo(f"What follows is what this host's master wrote into {config.status_file}.")
    else:
        out = rendering.console()
        rendering.table(*tables.totals(document["totals"]), out=out)
        click.echo(f"workers killed by jobs: {tables.causes(document['totals'].get('crashes') or {})}")
        now_ms = int(time.time() * 1000)
        rendering.table(*tables.queues(document["queues"], now_ms), out=out)
        if document["paused_types"]:
            types = tables.paused_types(document["paused_types"], now_ms)
            click.echo(f"paused types: {rendering.clean(types)}")
        for one in document["standing"]:
            where = f"queue {one['queue']} (limit {one['limit']}) on {one['host']}"
            click.echo(rendering.clean(f"stands still: {where}: {one['state']}"))
        rendering.table(*tables.workers(document["workers"], now_ms), out=out)
        if document["unserved"]:
            title = "Waiting for a worker that knows them"
            rendering.table(*tables.unserved(document["unserved"]), title=title, out=out)
    if local is not None:
        _print_local(local)


def _print_local(local: dict[str, Any]) -> None:
    now_ms = int(time.time() * 1000)
    written = ago(local.get("at_ms"), now_ms)
    gone = "" if local["alive"] else " (that process is gone)"
    click.echo(
        f"master on this host: {local.get('state', '?')}, pid {local.get('pid', '?')}{gone}, as of {written}"
    )
    for name, value in local.items():
        if name in ("at_ms", "state", "pid", "alive") or value in (None, "", [], {}):
            continue
        if name == "workers" and isinstance(value, list):
            click.echo(f"  {plural(len(value), 'worker')}: {_states(value)}")
        elif name == "roles" and isinstance(value, list):
            roles = [f"{role.get('role')} {role.get('state')}" for role in value if isinstance(role, dict)]
            click.echo(f"  roles: {', '.join(roles)}")
        elif name == "last_errors" and isinstance(value, dict):
            for whose, error in value.items():
                click.secho(f"  last error of {whose}: {rendering.clean(str(error))}", fg="red")
        elif name == "reload" and isinstance(value, dict):
            if said := _reload(value, now_ms):
                click.echo(f"  {said}")
        elif name.endswith("_ms") and isinstance(value, int):
            said = ago(value, now_ms) if name.endswith("_at_ms") else span(value)
            click.echo(f"  {name.removesuffix('_ms').replace('_', ' ')}: {said}")
        else:
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            click.echo(f"  {name.replace('_', ' ')}: {rendering.clean(text)}")


def _reload(found: dict[str, Any], now_ms: int) -> str:
    """reload: done, generation 2, 5 s ago; nothing where there never was one."""
    if not found.get("asks"):
        return ""
    phase, outcome = found.get("phase"), found.get("outcome")
    stands = outcome if phase == "resting" else phase
    error = f": {rendering.clean(str(found['error']))}" if found.get("error") else ""
    return f"reload: {stands}, generation {found.get('generation')}, {ago(found.get('at_ms'), now_ms)}{error}"


def _states(workers: list[Any]) -> str:
    counts: dict[str, int] = {}
    for worker in workers:
        state = str(worker.get("state", "?")) if isinstance(worker, dict) else "?"
        counts[state] = counts.get(state, 0) + 1
    return ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
