"""`ganger cron`: the entries, their next ticks, pause and resume, run now, history."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gangerd.cli import rendering, tables, words
from gangerd.cli.connection import connected, dir_option, file_option, json_option
from gangerd.errors import BadConfig, Usage
from gangerd.settings import build

if TYPE_CHECKING:
    from ganger.cron.entry import CronEntry


@click.group(invoke_without_command=True)
@json_option
@file_option
@dir_option
@click.pass_context
def cron(ctx: click.Context, as_json: bool, path: Path | None, directory: str | None) -> None:
    """Jobs that come by the clock. Alone it lists them."""
    if ctx.invoked_subcommand is None:
        _show(as_json, path, directory)
    elif as_json or path or directory:
        raise Usage(f"options go behind the command: ganger cron {ctx.invoked_subcommand} --json.")


@cron.command("list")
@json_option
@file_option
@dir_option
def show(as_json: bool, path: Path | None, directory: str | None) -> None:
    """Every entry: its schedule, its next tick, its last run."""
    _show(as_json, path, directory)


def _show(as_json: bool, path: Path | None, directory: str | None) -> None:
    from ganger.cron import admin

    with connected(path, directory) as (cluster, control):
        found = admin.entries(cluster, control)
    if as_json:
        rendering.document(found)
    elif not found:
        click.echo("No live host has a cron entry: add one to a job (cron=) or to ganger.toml ([[cron]]).")
    else:
        rendering.table(*tables.crons(found, int(time.time() * 1000)))


@cron.command()
@click.argument("name")
@json_option
@file_option
@dir_option
def pause(name: str, as_json: bool, path: Path | None, directory: str | None) -> None:
    """No tick of NAME fires until it is resumed, and none is made up for then."""
    from ganger.cron import admin

    with connected(path, directory) as (cluster, control):
        changed = admin.pause(cluster, control, name)
    _report(as_json, name, "paused", changed, "was paused already")


@cron.command()
@click.argument("name")
@json_option
@file_option
@dir_option
def resume(name: str, as_json: bool, path: Path | None, directory: str | None) -> None:
    """The ticks of NAME count again, from now on."""
    from ganger.cron import admin

    with connected(path, directory) as (cluster, control):
        changed = admin.resume(cluster, control, name)
    _report(as_json, name, "resumed", changed, "was not paused")


def _report(as_json: bool, name: str, word: str, changed: bool, otherwise: str) -> None:
    if as_json:
        rendering.document({"name": name, word: changed})
    else:
        click.echo(f"{name} {'is ' + word if changed else otherwise}.")


@cron.command()
@click.argument("name")
@json_option
@file_option
@dir_option
def run(name: str, as_json: bool, path: Path | None, directory: str | None) -> None:
    """Push the job of NAME now, whatever its schedule says, and print its id."""
    from ganger.cron import admin

    with connected(path, directory) as (cluster, control):
        jid = admin.run(cluster, control, name)
    if as_json:
        rendering.document({"name": name, "jid": jid})
    else:
        click.echo(jid)


@cron.command()
@click.argument("name")
@json_option
@file_option
@dir_option
def history(name: str, as_json: bool, path: Path | None, directory: str | None) -> None:
    """What became of the last ticks of NAME, newest first."""
    from ganger.cron import admin

    with connected(path, directory) as (cluster, control):
        found = admin.history(cluster, control, name)
        entry = admin.named(cluster, control, name)
    if as_json:
        rendering.document(found)
    elif not found:
        click.echo(f"Nothing has happened to {name} yet.")
    else:
        ticks = ("fired", "skipped", "missed")
        rows = [
            (words.zoned(event["tick_at_ms"], entry.tz) if event["event"] in ticks else "-", event)
            for event in found
        ]
        rendering.table(*tables.cron_history(rows, int(time.time() * 1000)))


@cron.command("next")
@click.argument("name")
@click.option("-n", "count", type=click.IntRange(1, 1000), default=10, show_default=True, help="So many.")
@click.option("--app", help="Of this app's code and ganger.toml; no Redis is asked.")
@click.option("--tz", help="NAME is no name but a schedule (five fields in quotes), in this time zone.")
@click.option("--after", metavar="INSTANT", help="From then on (2031-03-29T00:00), not from now on.")
@json_option
@file_option
@dir_option
def coming(
    name: str,
    count: int,
    app: str | None,
    tz: str | None,
    after: str | None,
    as_json: bool,
    path: Path | None,
    directory: str | None,
) -> None:
    """The next ticks of NAME, changes of the clocks included."""
    from ganger.cron import admin
    from gangerd.cli import times

    if app is not None and tz is not None:
        raise Usage("--app and --tz exclude each other: one reads a name, the other a schedule.")
    entry = _entry(name, app, tz, path, directory)
    after_ms = int(times.instant("--after", after).timestamp() * 1000) if after else int(time.time() * 1000)
    found = admin.coming(entry, after_ms, count)
    if as_json:
        rendering.document(found)
    else:
        rendering.table(("local", "utc"), [(tick["local"], tick["utc"]) for tick in found])


def _entry(
    name: str, app: str | None, tz: str | None, path: Path | None, directory: str | None
) -> "CronEntry":
    """Of a schedule itself, of an app's code, or of what live hosts announce."""
    from ganger.cron import admin
    from ganger.cron.entry import CronEntry, of_schedule
    from ganger.errors import CronNotFound

    if tz is not None or " " in name.strip() or name.startswith("@"):
        return of_schedule(name, tz or "UTC")
    if app is None:
        with connected(path, directory) as (cluster, control):
            return admin.named(cluster, control, name)
    import msgspec

    from gangerd.application import AppFailed, load

    config = build(path=path)
    try:
        manifest = load(app, forking=False, crons=config.crons, places=config.cron_places)
    except AppFailed as failed:
        raise BadConfig(failed.mistakes) from None
    entries = {entry["name"]: msgspec.convert(entry, CronEntry) for entry in manifest["crons"]}
    if name not in entries:
        raise CronNotFound(admin.missing(name, list(entries)))
    return entries[name]
