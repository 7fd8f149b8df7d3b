"""`ganger limits`: the limits on queues and types, who uses them, and changing one while hosts run."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gangerd.cli import rendering
from gangerd.cli.connection import connected, dir_option, engine_config, file_option, json_option
from gangerd.cli.words import number, span
from gangerd.config import EXIT_FAILED, EXIT_OK
from gangerd.errors import Refused, Usage
from gangerd.limit_values import MOST, ON_LOST, checked, conflicts
from gangerd.settings import build

if TYPE_CHECKING:
    from ganger.operations.limits import SetLimit
    from ganger.throttle.servers import Servers


@click.group(invoke_without_command=True)
@json_option
@file_option
@dir_option
@click.pass_context
def limits(ctx: click.Context, as_json: bool, path: Path | None, directory: str | None) -> None:
    """The limits on queues and job types. Alone it lists them."""
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
@click.option("--queue", metavar="QUEUE", help="The queue that it limits; this or --type for a new one.")
@click.option("--type", "type_", metavar="TYPE", help="The job type that it limits, in whatever queues.")
@click.option(
    "--concurrency",
    type=click.IntRange(0, MOST),
    metavar="N",
    help="Jobs that may run at one moment; 0: as many as like.",
)
@click.option("--rate", metavar="RATE", help='How many may begin in what time, "100/60s"; none: any number.')
@click.option(
    "--burst",
    type=click.IntRange(0),
    metavar="N",
    help="So many at once, and the rate on average; 0: never more than the rate in any such time.",
)
@click.option(
    "--limit-key", metavar="KEY", help='It holds for each value of "args.tenant" by itself; none: for all.'
)
@click.option(
    "--on-lost", type=click.Choice(ON_LOST), help="What becomes of a running job whose permit is lost."
)
@click.option("--off", is_flag=True, help="No such limit, whatever a configuration says.")
@json_option
@file_option
@dir_option
def change(
    name: str, off: bool, as_json: bool, path: Path | None, directory: str | None, **given: Any
) -> None:
    """Change the limit NAME, or make one, for all hosts, from within two seconds on."""
    given["type"] = given.pop("type_")
    if given["queue"] and given["type"]:
        raise Usage("a limit is for a queue or for a job type: give one of --queue and --type.")
    if off and any(given[part] for part in ("concurrency", "rate", "burst", "limit_key")):
        raise Usage("--off takes the limit away: leave what it should allow out.")
    for part in ("rate", "limit_key"):
        given[part] = "" if given[part] == "none" else given[part]
    from ganger import limiting
    from ganger.unserved import known_types

    with connected(path, directory) as (cluster, control):
        made = limiting.change(cluster, control, name, limiting.Change(off=off, **given), _check)
        known = known_types(cluster, control) if made.type else set()
    said = limiting.about(made)
    if as_json:
        rendering.document({"name": name, **said, "off": made.off})
    elif made.off:
        click.echo(f"{name}: off. {_place(said).capitalize()} has no limit of this name within two seconds.")
    else:
        click.echo(f"{name}: {_place(said)} {_said(said)}, within two seconds.")
        if made.type and made.type not in known:
            click.echo(f"No live worker knows the type {made.type}: is that its name?", err=True)


def _check(name: str, limits: "Mapping[str, SetLimit]") -> None:
    """Raises BadOptions for one that no configuration could have."""
    from ganger.errors import BadOptions
    from ganger.limiting import about

    said = {part: value for part, value in about(limits[name]).items() if value}
    try:
        checked(name, said)
    except Refused as refused:
        raise BadOptions(f"a limit {refused}.") from None
    before = conflicts({other: limit for other, limit in limits.items() if other != name})
    fresh = [sentence for sentence in conflicts(limits) if sentence not in before]
    if fresh:
        raise BadOptions(f"{'; '.join(fresh)}.")


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
        click.echo("Nothing is limited: [limits.NAME] in ganger.toml, or `ganger limits set`.")
        return
    columns = ("limit", "of", "allows", ">used", "state", "set at runtime")
    rendering.table(columns, [_row(row) for row in found])
    for row in found:
        if row["differs"] and not row["off"]:
            hosts = ", ".join(row["differs"])
            click.echo(f"{row['name']}: {hosts} has it otherwise: while both run the wider holds.", err=True)
        _holders(row)


def _servers(path: Path | None, directory: str | None) -> "Servers | None":
    from ganger.throttle.servers import Servers

    urls = engine_config(build(path=path, flags={"dir": directory})).semaphores
    return Servers(urls) if urls else None


def _row(row: dict[str, Any]) -> Sequence[str]:
    states = sorted({f"{host}: {state}" for host, state in row["states"].items() if state != "ok"})
    allows = "off" if row["off"] else _said(row)
    state = "-" if row["off"] else ", ".join(states) or ("ok" if row["states"] else "no host serves it")
    return (row["name"], _place(row), allows, number(row["used"]), state, "yes" if row["set"] else "no")


def _place(row: Mapping[str, Any]) -> str:
    return f"queue {row['queue']}" if row["queue"] else f"type {row['type']}"


def _said(row: Mapping[str, Any]) -> str:
    """What it allows, in words."""
    words = []
    if row["concurrency"]:
        words.append(f"at most {number(row['concurrency'])} at once")
    if row["rate"]:
        words.append(row["rate"] + (f" and {number(row['burst'])} at once" if row["burst"] else ""))
    each = f" for each {row['limit_key']}" if row["limit_key"] else ""
    return ", ".join(words) + each


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
