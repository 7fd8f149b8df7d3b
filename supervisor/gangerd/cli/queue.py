"""`ganger queue`: act on one queue, cluster-wide."""

import sys
from pathlib import Path

import click

from gangerd.cli import past, rendering, reports, retaining
from gangerd.cli.connection import connected, dir_option, file_option, json_option
from gangerd.cli.progress import progress
from gangerd.cli.words import plural
from gangerd.config import EXIT_FAILED, EXIT_OK
from gangerd.errors import Usage


@click.group()
def queue() -> None:
    """Pause, resume and clear a queue; keep its ended jobs, and run them again."""


@queue.command()
@click.argument("name")
@click.option("--why", default="", help="A word for whoever looks at it later.")
@json_option
@file_option
@dir_option
def pause(name: str, why: str, as_json: bool, path: Path | None, directory: str | None) -> int:
    """Hand out no more jobs of the queue NAME, on any host. What runs goes on."""
    from ganger.pausing import pause_queue

    with connected(path, directory) as (cluster, control):
        spread = pause_queue(cluster, control, name, why)
    return reports.pause("queue", name, spread, as_json=as_json)


@queue.command()
@click.argument("name")
@json_option
@file_option
@dir_option
def resume(name: str, as_json: bool, path: Path | None, directory: str | None) -> int:
    """Hand out the jobs of the queue NAME again."""
    from ganger.pausing import resume_queue

    with connected(path, directory) as (cluster, control):
        spread = resume_queue(cluster, control, name)
    return reports.resume("queue", name, spread, as_json=as_json)


@queue.command()
@click.argument("name")
@click.option("--scheduled", is_flag=True, help="Also what is scheduled or waits for a retry.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@json_option
@file_option
@dir_option
def clear(
    name: str, scheduled: bool, yes: bool, as_json: bool, path: Path | None, directory: str | None
) -> int:
    """Remove the jobs that wait in the queue NAME, unrun. What runs is not touched."""
    from ganger.clearing import clear, survey

    with connected(path, directory) as (cluster, control):
        found = survey(cluster, control, name)
        count = found.waiting + (found.later if scheduled else 0)
        if not as_json:
            later = "and go too" if scheduled else "and stay (--scheduled removes them too)"
            click.echo(
                f"{name}: {plural(found.waiting, 'job')} waiting; {found.later:,} scheduled or waiting for a"
                f" retry {later}; {found.in_flight:,} at work, which nobody touches."
            )
        if count and not yes:
            if as_json or not sys.stdin.isatty():
                raise Usage(f"this removes {plural(count, 'job')}: say --yes.")
            click.confirm(f"Remove {plural(count, 'job')} for ever?", abort=True)
        with progress(f"clearing {name}", count) as done:
            cleared = clear(cluster, found, scheduled=scheduled, on_removed=done)
    if as_json:
        missed = reports.unreachable(cleared.missed)
        rendering.document({"queue": name, "removed": cleared.removed, "unreachable": missed})
    else:
        click.echo(f"{plural(cleared.removed, 'job')} removed, and counted as cancelled.")
        reports.missed(cleared.missed, "what they hold is still there; clear again when they are back.")
    return EXIT_FAILED if cleared.missed else EXIT_OK


for _command in (retaining.retain, past.rewind, past.replay, past.skip, past.runs, past.go_on, past.undo):
    queue.add_command(_command)
