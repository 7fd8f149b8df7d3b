"""`ganger dead`: dead letters, listed, shown, sent back to their queue, or deleted."""

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gangerd.cli import filters, rendering, reports, tables, times
from gangerd.cli.connection import administering, dir_option, file_option, json_option
from gangerd.cli.jobs import print_job
from gangerd.cli.words import plural
from gangerd.errors import Usage

if TYPE_CHECKING:
    from ganger.admin import Admin
    from ganger.listing import JobFilter, Missed

_FILTERS = (filters.QUEUE, filters.TYPE, filters.CAUSE, filters.ERROR, filters.SINCE, filters.UNTIL)


def acting(command: Callable[..., Any]) -> Callable[..., Any]:
    """What sending back and deleting have in common."""
    options = (
        click.argument("jids", metavar="[JID]...", nargs=-1),
        click.option("--all", "everything", is_flag=True, help="All that the filters match."),
        click.option("--yes", is_flag=True, help="Without being asked first."),
        json_option,
        file_option,
        dir_option,
    )
    return filters.stacked(options)(filters.filtered(*_FILTERS)(command))


@click.group()
def dead() -> None:
    """Dead letters: jobs that have used up their retries, or killed too many workers."""


@dead.command("list")
@filters.filtered(*_FILTERS)
@click.option(
    "--limit", type=click.IntRange(1, 1_000_000), default=100, show_default=True, help="The newest so many."
)
@json_option
@file_option
@dir_option
def listing(wanted: "JobFilter", limit: int, as_json: bool, path: Path | None, directory: str | None) -> int:
    """List the dead letters, newest first."""
    missed: Missed = {}
    with administering(path, directory) as admin:
        if as_json:
            rendering.documents(job.document() for job in admin.dead(wanted, limit, missed=missed))
            return reports.missed(missed, reports.LEFT_OUT)
        found = [job.document() for job in admin.dead(wanted, limit, heads=True, missed=missed)]
    if found:
        rendering.table(*tables.dead(found, int(time.time() * 1000)))
    elif missed:
        click.echo("There are none where could be looked.")
    else:
        click.echo("There are no dead letters." if wanted == type(wanted)() else "No dead letter fits.")
    return reports.missed(missed, reports.LEFT_OUT)


@dead.command()
@click.argument("jid")
@json_option
@file_option
@dir_option
def show(jid: str, as_json: bool, path: Path | None, directory: str | None) -> None:
    """One dead letter: every failure with its stack, and the post-mortems of the workers that it killed."""
    with administering(path, directory) as admin:
        found = admin.dead_letter(jid).document()
    if as_json:
        rendering.document(found)
        return
    crashes = found.pop("crash_records")
    shown = {failure.get("attempt") for failure in found["failures"] if failure.get("stack")}
    print_job(found)
    for crash in crashes:
        click.echo(f"evidence of attempt {crash.get('attempt')}, {crash['cause']}:")
        click.echo(f"  {rendering.clean(tables.evidence(crash.get('evidence')))}")
        if crash.get("stack") and crash.get("attempt") not in shown:
            click.echo(rendering.clean(crash["stack"]))


@dead.command()
@acting
@click.option("--rate", metavar="N/s", help="With --all: not more than so many a second, as 50/s or 300/m.")
def retry(rate: str | None, wanted: "JobFilter", **given: Any) -> int:
    """Send dead letters back to their queue; attempts and crashes count from nothing.

    Stopped half-way, run it again: what was sent back is no dead letter any more."""
    limit = None if rate is None else times.rate_s("--rate", rate)
    if limit is not None and not given["everything"]:
        raise Usage("--rate goes with --all.")
    return _act(
        _Deed("retried", "sent back", "Send them back?"),
        lambda admin, missed: admin.retry_dead(wanted, rate=limit, missed=missed),
        lambda admin, jids: admin.retry_letters(jids),
        wanted,
        **given,
    )


@dead.command()
@acting
def delete(wanted: "JobFilter", **given: Any) -> int:
    """Delete dead letters for ever."""
    return _act(
        _Deed("deleted", "deleted", "Delete them for ever?"),
        lambda admin, missed: admin.delete_dead(wanted, missed=missed),
        lambda admin, jids: admin.delete_letters(jids),
        wanted,
        **given,
    )


class _Deed:
    """How a command speaks of what it does: its key in JSON, what it did, what it asks."""

    def __init__(self, key: str, did: str, question: str) -> None:
        self.key, self.did, self.question = key, did, question

    def report(self, count: int, missed: "Missed", as_json: bool) -> int:
        """The exit code."""
        if as_json:
            rendering.document({self.key: count, "unreachable": reports.unreachable(missed)})
        else:
            click.echo(f"{plural(count, 'dead letter')} {self.did}.")
        return reports.missed(missed, "the same again takes what they hold when they are back.")


def _act(
    deed: _Deed,
    all_of_them: "Callable[[Admin, Missed], Iterator[int]]",
    these: "Callable[[Admin, tuple[str, ...]], int]",
    wanted: "JobFilter",
    *,
    jids: tuple[str, ...],
    everything: bool,
    yes: bool,
    as_json: bool,
    path: Path | None,
    directory: str | None,
) -> int:
    """Do it to those that were named, or, once that is confirmed, to all that the filters match."""
    if bool(jids) == everything or (jids and wanted != type(wanted)()):
        raise Usage("which ones? Name job ids, or say --all (narrower: --all --queue NAME --cause exit).")
    with administering(path, directory) as admin:
        if jids:
            return deed.report(these(admin, jids), {}, as_json)
        missed: Missed = {}
        counts = admin.count_dead(wanted, missed)
        total = sum(counts.values())
        if total and not yes:
            _confirm(counts, total, missed, deed)
        done = 0
        try:
            with rendering.progress(deed.did, total) as advance:
                for count in all_of_them(admin, missed):
                    done += count
                    advance(count)
        except KeyboardInterrupt:
            click.echo(
                f"ganger: stopped: {done:,} of {total:,} {deed.did}; the same again goes on.", err=True
            )
            raise
        return deed.report(done, missed, as_json)


def _confirm(counts: dict[str, int], total: int, missed: "Missed", deed: _Deed) -> None:
    """Raises Usage where nobody can be asked, Abort for a no."""
    each = ", ".join(f"{count:,} in {queue}" for queue, count in sorted(counts.items()))
    dark = f", {plural(len(missed), 'partition')} out of reach" if missed else ""
    said = f"{plural(total, 'dead letter')} ({each}{dark})"
    if not sys.stdin.isatty():
        raise Usage(f"{said}: say --yes to do it without being asked.")
    click.confirm(f"{said}. {deed.question}", abort=True, err=True)
