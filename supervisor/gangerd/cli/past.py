"""`ganger queue rewind`, `replay`, `skip`, and what can be done to their runs: list, continue, undo.

Each says what it will do before it does it. running.py's counterpart for runs is course.py: the plan, the
bar, the end."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from gangerd.cli import course, rendering
from gangerd.cli.connection import connected, dir_option, file_option, json_option
from gangerd.cli.times import past_ms, rate_s

Command = TypeVar("Command", bound=Callable[..., Any])


def _now_ms() -> int:
    return int(time.time() * 1000)


def _acting(command: Command) -> Command:
    """Options of all that start a run."""
    for option in (
        dir_option,
        file_option,
        json_option,
        click.option("--yes", is_flag=True, help="Without asking."),
        click.option("--dry-run", is_flag=True, help="Only say what it would do, partition by partition."),
    ):
        command = option(command)
    return command


def _taking(command: Command) -> Command:
    """Options of what takes jobs from the log."""
    for option in (
        click.option("--rate", "pace", metavar="N/s", help="So many jobs a second over all partitions."),
        click.option(
            "--how",
            "hows",
            multiple=True,
            metavar="HOW",
            help="Only what ended so; repeat for more: succeeded, exhausted, skipped, expired.",
        ),
        click.option("--type", "kind", default="", help="Only jobs of this type."),
    ):
        command = option(command)
    return command


@click.command()
@click.argument("name")
@click.option("--to", required=True, metavar="T", help="14:05, '2h ago', 2031-05-01T08:00+02:00.")
@_taking
@_acting
def rewind(
    name: str,
    to: str,
    kind: str,
    hows: tuple[str, ...],
    pace: str | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
    path: Path | None,
    directory: str | None,
) -> int:
    """Run again what has finished in queue NAME since T."""
    choice = _choice(kind, hows, pace) | {"from_ms": past_ms("--to", to, _now_ms())}
    way = course.Way(dry_run, yes, as_json)
    with connected(path, directory) as (cluster, control):
        return course.start(cluster, control, way, "rewind", name, choice)


@click.command()
@click.argument("name")
@click.option("--from", "since", required=True, metavar="T", help="14:05, '2h ago', 2031-05-01T08:00+02:00.")
@click.option("--to", metavar="T", default="now", show_default=True, help="Likewise.")
@click.option("--into", default="", metavar="QUEUE", help="Copies into another queue; the jobs stay.")
@_taking
@_acting
def replay(
    name: str,
    since: str,
    to: str,
    into: str,
    kind: str,
    hows: tuple[str, ...],
    pace: str | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
    path: Path | None,
    directory: str | None,
) -> int:
    """Run again what ended in queue NAME between two instants, or copies of it in another queue."""
    now_ms = _now_ms()
    choice = _choice(kind, hows, pace)
    choice |= {"from_ms": past_ms("--from", since, now_ms), "into": into}
    choice |= {} if to == "now" else {"to_ms": past_ms("--to", to, now_ms)}
    way = course.Way(dry_run, yes, as_json)
    with connected(path, directory) as (cluster, control):
        return course.start(cluster, control, way, "replay", name, choice)


@click.command()
@click.argument("name")
@click.option("--to", required=True, metavar="T", help="14:05, '2h ago', now.")
@click.option("--type", "kind", default="", help="Only jobs of this type.")
@_acting
def skip(
    name: str,
    to: str,
    kind: str,
    dry_run: bool,
    yes: bool,
    as_json: bool,
    path: Path | None,
    directory: str | None,
) -> int:
    """End the jobs of queue NAME that have waited since before T, unrun."""
    choice: dict[str, Any] = {"type": kind}
    choice |= {} if to == "now" else {"to_ms": past_ms("--to", to, _now_ms())}
    way = course.Way(dry_run, yes, as_json)
    with connected(path, directory) as (cluster, control):
        return course.start(cluster, control, way, "skip", name, choice)


@click.command()
@click.argument("name", required=False)
@json_option
@file_option
@dir_option
def runs(name: str | None, as_json: bool, path: Path | None, directory: str | None) -> None:
    """The runs over queue NAME, or over all; newest first."""
    from ganger.replaying import drive

    with connected(path, directory) as (cluster, control):
        if name is not None:
            drive.places(cluster, control, name)  # refuses a name that no queue has
        found = [course.document(run) for run in drive.known(cluster, control, name)]
    if as_json:
        rendering.document(found)
    elif not found:
        click.echo("There has been no run.")
    else:
        rendering.table(*course.listed(found, _now_ms()))


@click.command("continue")
@click.argument("run")
@click.option("--rate", "pace", metavar="N/s", help="From now on so many jobs a second.")
@json_option
@file_option
@dir_option
def go_on(run: str, pace: str | None, as_json: bool, path: Path | None, directory: str | None) -> int:
    """Go on with RUN where it was stopped."""
    from ganger.replaying import drive

    with connected(path, directory) as (cluster, control):
        found = drive.find(cluster, control, run)
        found.rate = rate_s("--rate", pace) if pace else found.rate
        return course.follow(found, drive.carry_on(cluster, control, found), as_json=as_json)


@click.command()
@click.argument("run")
@json_option
@file_option
@dir_option
def undo(run: str, as_json: bool, path: Path | None, directory: str | None) -> int:
    """Take back what of RUN has not begun."""
    from ganger.replaying import drive

    with connected(path, directory) as (cluster, control):
        found = drive.find(cluster, control, run)
        return course.follow(found, drive.undo(cluster, control, found), as_json=as_json, undo=True)


def _choice(kind: str, hows: tuple[str, ...], pace: str | None) -> dict[str, Any]:
    choice: dict[str, Any] = {"type": kind, "rate": rate_s("--rate", pace) if pace else 0.0}
    return choice | ({"hows": hows} if hows else {})
