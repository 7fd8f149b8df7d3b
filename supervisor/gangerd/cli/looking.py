"""`ganger queues`, `workers`, `crashes`: one document of the engine each, as JSON or as a table."""

import time
from pathlib import Path

import click

from gangerd.cli import rendering, tables
from gangerd.cli.connection import connected, dir_option, file_option, json_option


@click.command()
@json_option
@file_option
@dir_option
def queues(as_json: bool, path: Path | None, directory: str | None) -> None:
    """What waits in each queue, where, and for how long."""
    from ganger import inspect

    with connected(path, directory) as (cluster, control):
        found = inspect.queues(cluster, control)
        types = inspect.paused_types(cluster, control)
    if as_json:
        rendering.document(found)
    elif not found:
        click.echo("There is no queue yet: one comes to be with its first job.")
    else:
        now_ms = int(time.time() * 1000)
        rendering.table(*tables.queues(found, now_ms))
        if types:
            click.echo(f"paused types: {rendering.clean(tables.paused_types(types, now_ms))}")


@click.command()
@json_option
@file_option
@dir_option
def workers(as_json: bool, path: Path | None, directory: str | None) -> None:
    """Every worker of every host and what it runs."""
    from ganger import inspect

    with connected(path, directory) as (cluster, control):
        found = inspect.workers(cluster, control)
    if as_json:
        rendering.document(found)
    elif not found:
        click.echo("No host is alive: start one with `ganger run APP`.")
    else:
        rendering.table(*tables.workers(found, int(time.time() * 1000)))


@click.command()
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="The newest so many."
)
@json_option
@file_option
@dir_option
def crashes(limit: int, as_json: bool, path: Path | None, directory: str | None) -> None:
    """Which jobs killed their workers, and of what; newest first. --json has the stacks."""
    from ganger import inspect

    with connected(path, directory) as (cluster, control):
        found = inspect.crashes(cluster, control, limit)
    if as_json:
        rendering.document(found)
    elif not found:
        click.echo("No job has ever killed its worker.")
    else:
        rendering.table(*tables.crashes(found, int(time.time() * 1000)))
