"""What the commands that reach for every partition say at the end: how far they have come."""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from gangerd.cli import rendering
from gangerd.cli.words import ago, plural
from gangerd.config import EXIT_FAILED, EXIT_OK

if TYPE_CHECKING:
    from ganger.errors import GangerError
    from ganger.keys import Partition
    from ganger.pausing import Spread

LEFT_OUT = "what they hold is not shown."
_WAITS = "the leading scheduler tells them when they are back."


def pause(kind: str, name: str, spread: "Spread", *, as_json: bool) -> int:
    """The end of `ganger queue pause` and `ganger type pause`; the exit code."""
    if as_json:
        about = {"paused": True, "since_ms": spread.since_ms, "note": spread.note}
        return _document(kind, name, spread, about)
    since = "now" if spread.changed else ago(spread.since_ms, int(time.time() * 1000))
    note = f" ({rendering.clean(spread.note)})" if spread.note else ""
    click.echo(f"{name} is paused in {_how_far(spread)}, since {since}{note}.")
    return missed(spread.missed, _WAITS)


def resume(kind: str, name: str, spread: "Spread", *, as_json: bool) -> int:
    """The end of `ganger queue resume` and `ganger type resume`; the exit code."""
    if as_json:
        about = {"paused": False, "unparked": spread.unparked} if kind == "type" else {"paused": False}
        return _document(kind, name, spread, about)
    before = "" if spread.changed else " It was not paused."
    verb = "waits" if spread.unparked == 1 else "wait"
    back = f", and {plural(spread.unparked, 'parked job')} {verb} again" if spread.unparked else ""
    click.echo(f"{name} goes on in {_how_far(spread)}{back}.{before}")
    return missed(spread.missed, _WAITS)


def missed(partitions: Mapping["Partition", "GangerError"] | Mapping[str, "GangerError"], then: str) -> int:
    """A line on stderr about those out of reach, and one about what to do; the exit code."""
    if partitions:
        names = ", ".join(_name(partition) for partition in partitions)
        why = next(iter(partitions.values()))
        click.secho(f"ganger: out of reach: {names} ({why})", fg="red", err=True)
        click.secho(f"ganger: {then}", fg="red", err=True)
    return EXIT_FAILED if partitions else EXIT_OK


def unreachable(partitions: Mapping["Partition", "GangerError"]) -> dict[str, str]:
    return {_name(partition): str(error) for partition, error in partitions.items()}


def _document(kind: str, name: str, spread: "Spread", about: Mapping[str, object]) -> int:
    places = {
        "reached": [_name(partition) for partition in spread.reached],
        "unreachable": unreachable(spread.missed),
    }
    rendering.document({kind: name, **about, "changed": spread.changed, **places})
    return EXIT_FAILED if spread.missed else EXIT_OK


def _how_far(spread: "Spread") -> str:
    total = len(spread.reached) + len(spread.missed)
    return f"{len(spread.reached):,} of {plural(total, 'partition')}"


def _name(partition: "Partition | str") -> str:
    return partition if isinstance(partition, str) else f"{partition.queue}/{partition.index}"
