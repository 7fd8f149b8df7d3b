"""`ganger job show`, `ganger job retry`, `ganger job cancel`: one job, wherever it is."""

import time
from pathlib import Path
from typing import Any

import click

from gangerd.cli import rendering, tables
from gangerd.cli.connection import administering, connected, dir_option, file_option, json_option
from gangerd.config import EXIT_FAILED, EXIT_OK


@click.group()
def job() -> None:
    """Look at one job, run it now, or cancel it."""


@job.command()
@click.argument("jid")
@json_option
@file_option
@dir_option
def show(jid: str, as_json: bool, path: Path | None, directory: str | None) -> None:
    """Where the job JID is, what it was pushed with, and what has happened to it."""
    from ganger import inspect

    with connected(path, directory) as (cluster, control):
        found = inspect.job(cluster, control, jid)
    if as_json:
        rendering.document(found)
        return
    print_job(found)


@job.command()
@click.argument("jid")
@json_option
@file_option
@dir_option
def retry(jid: str, as_json: bool, path: Path | None, directory: str | None) -> None:
    """Run the job JID now: a scheduled or retrying one before its time, a dead letter again."""
    with administering(path, directory) as admin:
        was = admin.retry(jid)
    if as_json:
        rendering.document({"jid": jid, "was": str(was)})
    else:
        click.echo(f"{jid} was {was} and is ready.")


@job.command()
@click.argument("jid")
@json_option
@file_option
@dir_option
def delete(jid: str, as_json: bool, path: Path | None, directory: str | None) -> None:
    """Remove the job JID for ever: a dead letter, or one that waits. A running one is to be cancelled."""
    with administering(path, directory) as admin:
        was = admin.delete(jid)
    if as_json:
        rendering.document({"jid": jid, "was": str(was)})
    else:
        click.echo(f"{jid} was {was} and is gone.")


def print_job(found: dict[str, Any]) -> None:
    """A job name by name, then its failures, then their stacks."""
    now_ms = int(time.time() * 1000)
    for name, text in tables.job(found, now_ms):
        click.echo(f"{name:>9}  {rendering.clean(text)}")
    if found["failures"]:
        click.echo()
        rendering.table(*tables.failures(found["failures"], now_ms), title="What went wrong")
        for failure in found["failures"]:
            if failure.get("stack"):
                click.echo(f"stack of attempt {failure.get('attempt')}:")
                click.echo(f"{rendering.clean(failure['stack']).rstrip()}\n")


@job.command()
@click.argument("jids", metavar="JID...", nargs=-1, required=True)
@json_option
@file_option
@dir_option
def cancel(jids: tuple[str, ...], as_json: bool, path: Path | None, directory: str | None) -> int:
    """End jobs that are not wanted any more: waiting ones at once, running ones by their host."""
    from ganger.errors import BadOptions, JobNotFound

    found: list[dict[str, str]] = []
    with administering(path, directory) as admin:
        for jid in jids:
            try:
                found.append({"jid": jid, "outcome": str(admin.cancel(jid))})
            except (JobNotFound, BadOptions) as error:
                found.append({"jid": jid, "outcome": "refused", "error": str(error)})
    if as_json:
        rendering.document(found)
    for one in [] if as_json else found:
        click.echo(_CANCELLED[one["outcome"]].format(**one), err="error" in one)
    return EXIT_FAILED if any("error" in one for one in found) else EXIT_OK


_CANCELLED = {
    "cancelled": "{jid} is cancelled.",
    "asked": "{jid} was in a worker's hands: its host ends it.",
    "refused": "ganger: {error}",
}
