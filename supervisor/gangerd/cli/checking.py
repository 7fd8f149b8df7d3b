"""`ganger check`: the configuration and the app, looked at as `ganger run` would."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from gangerd.cli import rendering
from gangerd.cli.connection import connected, file_option, json_option
from gangerd.cli.words import plural
from gangerd.config import EXIT_CONFIG
from gangerd.errors import BadConfig
from gangerd.settings import build, serving_mistakes


@click.command()
@click.argument("app", required=False)
@file_option
@click.option("--redis", "look_at_redis", is_flag=True, help="And whether the cluster can be used.")
@json_option
def check(app: str | None, path: Path | None, look_at_redis: bool, as_json: bool) -> int:
    """Check the configuration and APP, a module as in an import: shop.tasks.

    Shows every mistake at once; exit code 78 when there is one."""
    mistakes: list[str] = []
    queues: Mapping[str, int] = {}
    preload, tables = True, tuple[dict[str, Any], ...]()
    try:
        config = build(path=path, flags={"app": app})
        mistakes += serving_mistakes(config)
        app, queues, preload = config.app or None, config.queues, config.preload
        tables = config.crons
    except BadConfig as bad:
        mistakes += bad.mistakes
    types: dict[str, str] = {}
    crons: dict[str, str] = {}
    if app is None and not mistakes:
        mistakes.append("no app is named: give its module, or set `app` in ganger.toml")
    elif app is not None:
        mistakes += examine(app, types, crons, preload=preload, tables=tables, queues=queues)
    if look_at_redis and not mistakes:
        mistakes += reach(path)
    if as_json:
        rendering.document({"ok": not mistakes, "errors": mistakes, "types": types, "crons": crons})
    elif mistakes:
        for mistake in mistakes:
            click.echo(f"ganger: {mistake}", err=True)
    else:
        entries = f", {len(crons):,} cron {'entry' if len(crons) == 1 else 'entries'}" if crons else ""
        queued = plural(len(set(types.values())), "queue")
        click.echo(f"{app}: {plural(len(types), 'job type')} in {queued}{entries}.")
    return EXIT_CONFIG if mistakes else 0


def examine(
    app: str,
    types: dict[str, str],
    crons: dict[str, str],
    *,
    preload: bool,
    tables: Sequence[Mapping[str, Any]],
    queues: Mapping[str, int],
) -> list[str]:
    """Import the app as the template does; fills `types` (type to queue) and `crons` (name to schedule),
    returns what is wrong."""
    from gangerd.application import AppFailed, load, strangers

    try:
        manifest = load(app, forking=preload, crons=tables)
    except AppFailed as failed:
        return failed.mistakes
    crons.update({entry["name"]: f"{entry['cron']} {entry['tz']}" for entry in manifest["crons"]})
    types.update({name: entry["queue"] for name, entry in manifest["types"].items()})
    mistakes = strangers(app, manifest, queues)
    return mistakes + (keys() if any(entry["encrypt"] for entry in manifest["types"].values()) else [])


def keys() -> list[str]:
    """What keeps the app's arguments from being encrypted."""
    from ganger.errors import GangerError
    from ganger.sealing import check_keys

    try:
        check_keys()
    except GangerError as error:
        return [str(error)]
    except Exception as error:  # the app's own, whose text may quote what it was about to tell
        return [f"the function given to encrypt_arguments raised {type(error).__name__}."]
    return []


def reach(path: Path | None) -> list[str]:
    """What keeps the configured cluster from being used."""
    from ganger.errors import GangerError

    try:
        with connected(path):
            return []
    except GangerError as error:
        return [str(error)]
