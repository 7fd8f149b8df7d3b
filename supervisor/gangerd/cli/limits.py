"""`ganger limits`: the limits on queues, who uses them, and changing one while hosts run."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gangerd.cli import rendering
from gangerd.cli.connection import connected, dir_option, engine_config, file_option, json_option
from gangerd.cli.words import number, span
from gangerd.config import EXIT_FAILED, EXIT_OK
from gangerd.errors import Usage
from gangerd.limit_values import MOST, ON_LOST
from gangerd.settings import build

if TYPE_CHECKING:
    from ganger.throttle.servers import Servers


@click.group(invoke_without_command=True)
@json_option
@file_option
@dir_option
@click.pass_context
def limits(ctx: click.Context, as_json: bool, path: Path | None, directory: str | None) -> None:
    """The limits on queues. Alone it lists them."""
    if ctx.invoked_subcommand is None:
        _show(as_json, path, directory)
    elif as_json or path or directory:
        raise Usage(f"options go behind the command: ganger limits {ctx.invoked_subcommand} --json.")


@limits.command("list")
@json_option
@file_option
@dir_option
def show(as_json: bool, path: Path | None, directory: str | None) -> None:
    """Every limit: what it allows, what is used of it, by whom and for how long."""
    _show(as_json, path, directory)


@limits.command("set")
@click.argument("name")
@click.option("--queue", metavar="QUEUE", help="The queue that it limits; needed for a new one.")
@click.option("--concurrency", type=click.IntRange(1, MOST), help="Jobs that may run at one moment.")
@click.option(
    "--on-lost", type=click.Choice(ON_LOST), help="What becomes of a running job whose permit is lost."
)
@click.option("--off", is_flag=True, help="No such limit, whatever a configuration says.")
@json_option
@file_option
@dir_option
def change(
    name: str,
    queue: str | None,
    concurrency: int | None,
    on_lost: str | None,
    off: bool,
    as_json: bool,
    path: Path | None,
    directory: str | None,
) -> None:
    """Change the limit NAME, or make one, for all hosts, from within two seconds on."""
    if off and concurrency:
        raise Usage("--off takes the limit away: leave what it should allow out.")
    from ganger import limiting

    with connected(path, directory) as (cluster, control):
        wanted = limiting.Change(queue, concurrency, on_lost, off)
        made = limiting.change(cluster, control, name, wanted)
    if as_json:
        about = {
            "queue": made.queue,
            "concurrency": made.concurrency,
            "on_lost": made.on_lost,
            "off": made.off,
        }
        rendering.document({"name": name, **about})
    elif made.off:
        click.echo(f"{name}: off. Queue {made.queue} has no limit of this name within two seconds.")
    else:
        click.echo(f"{name}: queue {made.queue} {_said(made.concurrency)}, within two seconds.")


@limits.command()
@click.argument("name")
@json_option
@file_option
@dir_option
def unset(name: str, as_json: bool, path: Path | None, directory: str | None) -> int:
    """What was set for NAME counts no more; what hosts are configured with does."""
    from ganger.operations import limits as operations

    with connected(path, directory) as (cluster, control):
        done = operations.forget(cluster, control, name)
    if as_json:
        rendering.document({"name": name, "unset": done})
    else:
        click.echo(f"{name}: the hosts' configuration counts again." if done else f"{name} was not set.")
    return EXIT_OK if done else EXIT_FAILED


def _show(as_json: bool, path: Path | None, directory: str | None) -> None:
    from ganger import limiting

    with connected(path, directory) as (cluster, control):
        servers = _servers(path, directory)
        try:
            found = limiting.survey(cluster, control, servers)
        finally:
            if servers is not None:
                servers.close()
    if as_json:
        rendering.document({"limits": found})
        return
    if not found:
        click.echo("No queue is limited: [limits.NAME] in ganger.toml, or `ganger limits set`.")
        return
    columns = ("limit", "queue", "allows", ">used", "state", "set at runtime")
    rendering.table(columns, [_row(row) for row in found])
    for row in found:
        _holders(row)


def _servers(path: Path | None, directory: str | None) -> "Servers | None":
    from ganger.throttle.servers import Servers

    urls = engine_config(build(path=path, flags={"dir": directory})).semaphores
    return Servers(urls) if urls else None


def _row(row: dict[str, Any]) -> Sequence[str]:
    states = sorted({f"{host}: {state}" for host, state in row["states"].items() if state != "ok"})
    allows = "off" if row["off"] else _said(row["concurrency"])
    state = ", ".join(states) or ("ok" if row["states"] else "no host serves it")
    return (row["name"], row["queue"], allows, number(row["used"]), state, "yes" if row["set"] else "no")


def _said(concurrency: int | None) -> str:
    return f"at most {number(concurrency)} at once" if concurrency else ""


def _holders(row: dict[str, Any]) -> None:
    if row["holders"] is None:
        click.echo(f"{row['name']}: who holds permits is not known: {row['unknown']}", err=True)
    elif row["holders"]:
        columns = (f"permits of {row['name']}", "worker", "job", ">for", ">ends in")
        rendering.table(
            columns,
            [
                (one["host"], one["worker"], one["jid"] or "-", span(one["held_ms"]), span(one["left_ms"]))
                for one in row["holders"]
            ],
        )
