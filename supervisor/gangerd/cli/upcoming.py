"""`ganger scheduled`, `ganger retries`: the jobs that wait for their time, those that are due next first."""

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gangerd.cli import filters, rendering, reports, tables
from gangerd.cli.connection import administering, dir_option, file_option, json_option

if TYPE_CHECKING:
    from ganger.listing import JobFilter, Missed

_LIMIT = click.option(
    "--limit", type=click.IntRange(1, 1_000_000), default=100, show_default=True, help="The next so many."
)


@click.command()
@filters.filtered(filters.QUEUE, filters.TYPE, filters.WITHIN)
@_LIMIT
@json_option
@file_option
@dir_option
def scheduled(
    wanted: "JobFilter", limit: int, as_json: bool, path: Path | None, directory: str | None
) -> int:
    """Jobs that were pushed for later, those that are due next first."""
    return _list(replace(wanted, failed=False), limit, as_json, path, directory, "Nothing is scheduled.")


@click.command()
@filters.filtered(filters.QUEUE, filters.TYPE, filters.CAUSE, filters.ERROR, filters.WITHIN)
@_LIMIT
@json_option
@file_option
@dir_option
def retries(wanted: "JobFilter", limit: int, as_json: bool, path: Path | None, directory: str | None) -> int:
    """Jobs that have failed and will be tried again, those that are due next first."""
    return _list(
        replace(wanted, failed=True), limit, as_json, path, directory, "Nothing is to be tried again."
    )


def _list(
    wanted: "JobFilter", limit: int, as_json: bool, path: Path | None, directory: str | None, none: str
) -> int:
    missed: Missed = {}
    with administering(path, directory) as admin:
        if as_json:
            rendering.documents(job.document() for job in admin.scheduled(wanted, limit, missed=missed))
            return reports.missed(missed, reports.LEFT_OUT)
        found = [job.document() for job in admin.scheduled(wanted, limit, heads=True, missed=missed)]
    if found:
        rendering.table(*tables.upcoming(found, int(time.time() * 1000)))
    else:
        click.echo("There are none where could be looked." if missed else none)
    return reports.missed(missed, reports.LEFT_OUT)
