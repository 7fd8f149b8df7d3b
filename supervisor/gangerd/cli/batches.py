"""`ganger batches`, `ganger batch`: how far batches are, and what to do with one that nobody commits."""

import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gangerd.cli import rendering, reports
from gangerd.cli.connection import administering, dir_option, file_option, json_option
from gangerd.cli.tables import Table
from gangerd.cli.words import ago, number
from gangerd.errors import Usage

if TYPE_CHECKING:
    from ganger.errors import GangerError


@click.command()
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="At most so many."
)
@json_option
@file_option
@dir_option
def batches(limit: int, as_json: bool, path: Path | None, directory: str | None) -> int:
    """Batches under way, the newest first, then those that were over in the last day."""
    missed: dict[str, GangerError] = {}
    with administering(path, directory) as admin:
        found = [asdict(one) for one in admin.batches(limit, missed=missed)]
    if as_json:
        rendering.document(found)
    elif missed and not found:
        click.echo("There are none where could be looked.")
    elif not found:
        click.echo("There is no batch, and none was over in the last day.")
    else:
        rendering.table(*listed(found, int(time.time() * 1000)))
    return reports.missed(missed, "how far they are is not known until their nodes are back.")


@click.group()
def batch() -> None:
    """Look at one batch, commit or delete it."""


@batch.command()
@click.argument("bid")
@json_option
@file_option
@dir_option
def show(bid: str, as_json: bool, path: Path | None, directory: str | None) -> None:
    """How far the batch BID is, how its callbacks are, and which members failed."""
    with administering(path, directory) as admin:
        found = asdict(admin.batch(bid))
    if as_json:
        rendering.document(found)
        return
    for name, text in lines(found, int(time.time() * 1000)):
        click.echo(f"{name:>9}  {rendering.clean(text)}")
    if found["failures"]:
        click.echo()
        rendering.table(*failures(found["failures"]), title="Failed members")
        left = found["failed"] - len(found["failures"])
        if left > 0:
            click.echo(f"and {left:,} more.")


@batch.command()
@click.argument("bid")
@json_option
@file_option
@dir_option
def commit(bid: str, as_json: bool, path: Path | None, directory: str | None) -> None:
    """Let its callbacks fire, in place of a producer that didn't."""
    with administering(path, directory) as admin:
        admin.commit_batch(bid)
        found = asdict(admin.batch(bid))
    if as_json:
        rendering.document(found)
    else:
        click.echo(
            f"Batch {bid} is committed: {number(found['pending'])} of {number(found['total'])} pending."
        )


@batch.command()
@click.argument("bid")
@click.option("--yes", is_flag=True, help="Without being asked first.")
@json_option
@file_option
@dir_option
def delete(bid: str, yes: bool, as_json: bool, path: Path | None, directory: str | None) -> None:
    """Forget it: members run on, no callback fires any more. For the batch around it, it has failed."""
    with administering(path, directory) as admin:
        found = asdict(admin.batch(bid))
        if not yes:
            said = f"Batch {bid}: {number(found['pending'])} of {number(found['total'])} members are pending"
            if not sys.stdin.isatty():
                raise Usage(f"{said}: say --yes to delete it without being asked.")
            click.confirm(f"{said}. Delete it?", abort=True, err=True)
        admin.delete_batch(bid)
    if as_json:
        rendering.document({"deleted": bid})
    else:
        click.echo(f"Batch {bid} is deleted.")


def listed(found: list[dict[str, Any]], now_ms: int) -> Table:
    """The rows of `ganger batches`."""
    columns = ("batch", "state", ">members", ">pending", ">failed", "made", "moved", "description")
    rows = [
        (
            str(one["bid"]),
            str(one["state"]),
            number(one["total"]),
            number(one["pending"]),
            number(one["failed"]),
            ago(one["created_at_ms"], now_ms),
            ago(one["active_at_ms"], now_ms),
            one["description"] or "-",
        )
        for one in found
    ]
    return columns, rows


def lines(found: dict[str, Any], now_ms: int) -> list[tuple[str, str]]:
    """Name and text of each line about one batch."""
    counts = f"{number(found['succeeded'])} succeeded, {number(found['failed'])} failed"
    told = [
        ("batch", str(found["bid"])),
        ("state", str(found["state"])),
        ("members", f"{number(found['total'])}: {number(found['pending'])} pending, {counts}"),
        *((which, str(found[which])) for which in ("complete", "success", "death")),
        ("made", ago(found["created_at_ms"], now_ms)),
        ("moved", ago(found["active_at_ms"], now_ms)),
    ]
    if found["description"]:
        told.insert(1, ("about", found["description"]))
    if found["parent_bid"]:
        told.append(("inside", found["parent_bid"]))
    return told


def failures(found: dict[int, str]) -> Table:
    rows = []
    for place, value in sorted(found.items(), key=lambda pair: int(pair[0])):
        how, _, name = value.partition(" ")
        rows.append((number(int(place)), how, name or "-"))
    return (">member", "how", "job or batch"), rows
