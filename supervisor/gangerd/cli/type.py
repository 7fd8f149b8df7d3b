"""`ganger type`: act on all jobs of one type, whatever queue they are in."""

from pathlib import Path

import click

from gangerd.cli import reports
from gangerd.cli.connection import connected, dir_option, file_option, json_option
from gangerd.cli.progress import progress


@click.group()
def type() -> None:
    """Pause and resume a job type."""


@type.command()
@click.argument("name", metavar="TYPE")
@click.option("--why", default="", help="A word for whoever looks at it later.")
@json_option
@file_option
@dir_option
def pause(name: str, why: str, as_json: bool, path: Path | None, directory: str | None) -> int:
    """Hand out no more jobs of TYPE, in any queue; those behind them go on. What runs goes on."""
    from ganger.operations.control import types
    from ganger.pausing import pause_type

    with connected(path, directory) as (cluster, control):
        known = types(cluster, control)
        spread = pause_type(cluster, control, name, why)
    if known and name not in known:
        click.echo(f"ganger: no live worker knows the type {name}; it is paused all the same.", err=True)
    return reports.pause("type", name, spread, as_json=as_json)


@type.command()
@click.argument("name", metavar="TYPE")
@json_option
@file_option
@dir_option
def resume(name: str, as_json: bool, path: Path | None, directory: str | None) -> int:
    """Hand out the jobs of TYPE again; those that were parked come first."""
    from ganger.pausing import resume_type

    with connected(path, directory) as (cluster, control), progress(f"parked jobs of {name}") as done:
        spread = resume_type(cluster, control, name, done)
    return reports.resume("type", name, spread, as_json=as_json)
