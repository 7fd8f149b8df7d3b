"""The course of a run on the command line: what it will do, the question, the bar, what became of it."""

import sys
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click
import msgspec

from gangerd.cli import rendering, tables
from gangerd.cli.progress import progress
from gangerd.cli.words import ago, moment, number, plural
from gangerd.config import EXIT_FAILED, EXIT_OK
from gangerd.errors import Usage

if TYPE_CHECKING:
    from ganger.cluster import Cluster
    from ganger.keys import Control
    from ganger.operations.replay import Count
    from ganger.operations.runs import Kind, Run
    from ganger.replaying.drive import Seen

_FORGETS = (
    "Queue {queue} keeps no ended jobs: what ends now can neither be replayed nor, skipped, wait again."
    " To keep them: ganger queue retain {queue} --age 7d"
)


@dataclass(frozen=True, slots=True)
class Way:
    """How a run is to be started."""

    dry_run: bool
    yes: bool
    as_json: bool


def start(
    cluster: "Cluster", control: "Control", way: Way, kind: "Kind", queue: str, choice: Mapping[str, Any]
) -> int:
    """Look, say, ask, do. The exit code."""
    from ganger.operations import retain
    from ganger.replaying import drive

    if not (way.dry_run or way.yes) and (way.as_json or not sys.stdin.isatty()):
        raise Usage("nobody can be asked here: say --yes, or --dry-run to see what it would do.")
    run = drive.order(cluster, control, kind, queue, **choice)
    seen = drive.survey(cluster, control, run)
    if not way.as_json:
        _say(run, seen, way.dry_run)
        if not retain.wanted(cluster, control).get(queue, retain.Retention()).word():
            click.echo(_FORGETS.format(queue=queue))
    if way.dry_run:
        if way.as_json:
            rendering.document(_plan(run, seen))
        return EXIT_FAILED if seen.missing else EXIT_OK
    if not seen.total.count and not seen.missing:
        if way.as_json:
            rendering.document(_plan(run, seen))
        return EXIT_OK
    if not way.yes and not click.confirm("Go on?"):
        click.echo("Nothing was done.")
        return EXIT_FAILED
    return follow(run, drive.begin(cluster, control, run, seen), as_json=way.as_json)


def follow(run: "Run", going: Generator["Run", None, None], *, as_json: bool, undo: bool = False) -> int:
    """Drive it to its end, with a bar; the exit code. A ^C leaves a run that can be gone on with."""
    what, total = ("undo", sum(run.moved.values())) if undo else (run.kind, run.planned)
    shown = 0
    try:
        with progress(f"{what} {run.queue}", total) as done:
            for now in going:
                count = sum((now.undone if undo else now.moved).values())
                done(count - shown)
                shown = count
    except KeyboardInterrupt:
        going.close()
        click.echo(f"\n{_stopped(run, undo)}", err=True)
        raise
    if as_json:
        rendering.document(document(run))
    else:
        click.echo(_ended(run, undo))
    return EXIT_FAILED if run.missing else EXIT_OK


def document(run: "Run") -> dict[str, Any]:
    """A run for --json: sums, and by partition what was done and what could not be."""
    found: dict[str, Any] = msgspec.structs.asdict(run)
    places = sorted(run.moved.keys() | run.undone.keys() | run.missing.keys())
    found["moved"], found["undone"] = sum(run.moved.values()), sum(run.undone.values())
    found["missing"] = sorted(run.missing)
    found["partitions"] = {
        str(index): {
            "moved": run.moved.get(index, 0),
            "undone": run.undone.get(index, 0),
            "error": run.missing.get(index),
        }
        for index in places
    }
    return found


def listed(found: Sequence[tables.Document], now_ms: int) -> tables.Table:
    """The rows of `ganger queue runs`."""
    columns = (
        "run",
        "queue",
        "what",
        "state",
        "ordered",
        "last word",
        ">planned",
        ">done",
        ">undone",
        "missing",
    )
    rows = [
        (
            str(run["run"]),
            str(run["queue"]),
            f"{run['kind']} into {run['into']}" if run["into"] else str(run["kind"]),
            str(run["state"]),
            ago(run["created_ms"], now_ms),
            ago(run["heard_ms"], now_ms),
            number(run["planned"]),
            number(run["moved"]),
            number(run["undone"]),
            ", ".join(map(str, run["missing"])) or "-",
        )
        for run in found
    ]
    return columns, rows


def _plan(run: "Run", seen: "Seen") -> dict[str, Any]:
    """What it would do, for --json."""

    def span(count: "Count") -> dict[str, int]:
        return {"count": count.count, "first_ms": count.first_ms, "last_ms": count.last_ms}

    order = {
        name: getattr(run, name) for name in ("kind", "queue", "from_ms", "to_ms", "type", "hows", "into")
    }
    return {
        **order,
        **span(seen.total),
        "types": seen.total.types,
        "partitions": {str(index): span(count) for index, count in seen.places.items()},
        "missing": {str(index): why for index, why in seen.missing.items()},
    }


def _say(run: "Run", seen: "Seen", by_partition: bool) -> None:
    """The plan in words."""
    count = seen.total
    jobs = plural(count.count, "job")
    if run.kind == "skip":
        click.echo(
            f"{jobs} of queue {run.queue} that became ready before {moment(run.to_ms)}: skipped, not run."
        )
    else:
        then = f"copied into queue {run.into}" if run.into else "to run again"
        since = moment(run.from_ms) if run.from_ms else "ever"
        click.echo(f"{jobs} of queue {run.queue} that ended from {since} to {moment(run.to_ms)}: {then}.")
    if count.count:
        verb = "became ready" if run.kind == "skip" else "ended"
        click.echo(f"The first {verb} at {moment(count.first_ms)}, the last at {moment(count.last_ms)}.")
        most = sorted(count.types.items(), key=lambda item: (-item[1], item[0]))
        click.echo("Types: " + ", ".join(f"{name} {number(amount)}" for name, amount in most))
    if run.rate:
        click.echo(f"At {run.rate:g} a second that takes about {number(int(count.count / run.rate))} s.")
    if by_partition:
        rows = [
            (
                str(index),
                number(found.count),
                *((moment(found.first_ms), moment(found.last_ms)) if found.count else ("-", "-")),
            )
            for index, found in seen.places.items()
        ]
        rendering.table((">partition", ">jobs", "first", "last"), rows)
    for index, why in seen.missing.items():
        click.echo(f"Partition {index} is left out: {why}")


def _stopped(run: "Run", undo: bool) -> str:
    if undo:
        return f"Stopped. Go on with: ganger queue undo {run.run}"
    done = sum(run.moved.values())
    return (
        f"Stopped after {done:,} of {plural(run.planned, 'job')}. Go on: ganger queue continue {run.run}"
        f"; take back: ganger queue undo {run.run}"
    )


def _ended(run: "Run", undo: bool) -> str:
    done = sum(run.moved.values())
    if undo:
        back = sum(run.undone.values())
        where = "removed" if run.into else "waiting again" if run.kind == "skip" else "back in the log"
        text = f"Run {run.run}: {back:,} of {plural(done, 'job')} {where}; the rest had begun."
        text = text if back < done else text.replace("; the rest had begun", "")
    else:
        where = "skipped" if run.kind == "skip" else f"in queue {run.into}" if run.into else "waiting again"
        text = f"Run {run.run}: {plural(done, 'job')} {where}."
        text += f" Take back what has not begun: ganger queue undo {run.run}"
    if run.missing:
        again = "undo" if undo else "continue"
        left = ", ".join(map(str, sorted(run.missing)))
        text += (
            f"\nPartitions {left} could not be reached. Go on when they can: ganger queue {again} {run.run}"
        )
    return text
