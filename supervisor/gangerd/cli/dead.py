"""`ganger dead`: dead letters, listed, sent back to their queue, or deleted."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gangerd.cli import rendering, tables
from gangerd.cli.connection import connected, dir_option, file_option, json_option
from gangerd.cli.words import plural
from gangerd.errors import Usage

if TYPE_CHECKING:
    from ganger.cluster import Cluster
    from ganger.operations.dead import DeadLetter

    Act = Callable[[Cluster, Sequence[DeadLetter]], int]


@click.group()
def dead() -> None:
    """Dead letters: jobs that have used up their retries, or killed too many workers."""


@dead.command("list")
@click.option("--queue", help="Of this queue alone.")
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="The newest so many."
)
@json_option
@file_option
@dir_option
def show(queue: str | None, limit: int, as_json: bool, path: Path | None, directory: str | None) -> None:
    """List the dead letters, newest first."""
    from ganger import inspect
    from gangerd.cli import letters

    with connected(path, directory) as (cluster, control):
        letters.chosen(cluster, control, queue)  # refuses a name that no queue has
        found = inspect.dead(cluster, control, queue, limit)
    if as_json:
        rendering.document(found)
    elif not found:
        click.echo("There are no dead letters.")
    else:
        rendering.table(*tables.dead(found, int(time.time() * 1000)))


@dead.command()
@click.argument("jids", metavar="[JID]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All dead letters, or all of --queue.")
@click.option("--queue", help="Of this queue alone.")
@json_option
@file_option
@dir_option
def retry(
    jids: tuple[str, ...],
    everything: bool,
    queue: str | None,
    as_json: bool,
    path: Path | None,
    directory: str | None,
) -> None:
    """Send dead letters back to their queue; attempts and crashes count from nothing."""
    from gangerd.cli import letters

    count = _each(jids, everything, queue, path, directory, letters.send_back)
    _report(as_json, "retried", count, "sent back")


@dead.command()
@click.argument("jids", metavar="[JID]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All dead letters, or all of --queue.")
@click.option("--queue", help="Of this queue alone.")
@json_option
@file_option
@dir_option
def delete(
    jids: tuple[str, ...],
    everything: bool,
    queue: str | None,
    as_json: bool,
    path: Path | None,
    directory: str | None,
) -> None:
    """Delete dead letters for ever."""
    from gangerd.cli import letters

    count = _each(jids, everything, queue, path, directory, letters.delete)
    _report(as_json, "deleted", count, "deleted")


def _each(
    jids: tuple[str, ...],
    everything: bool,
    queue: str | None,
    path: Path | None,
    directory: str | None,
    act: "Act",
) -> int:
    """Do it to those that were named; how many it was done to."""
    from gangerd.cli import letters

    if bool(jids) == everything:
        raise Usage("which ones? Name job ids, or say --all (of one queue: --all --queue NAME).")
    with connected(path, directory) as (cluster, control):
        if everything:
            places = letters.chosen(cluster, control, queue)
            return sum(act(cluster, chunk) for chunk in letters.everything(cluster, places))
        return sum(act(cluster, [letter]) for letter in letters.named(cluster, control, jids))


def _report(as_json: bool, word: str, count: int, did: str) -> None:
    if as_json:
        rendering.document({word: count})
    else:
        click.echo(f"{plural(count, 'dead letter')} {did}.")
