"""`ganger push`: a job by its type's name, with arguments written as JSON."""

import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gangerd.cli import rendering, times
from gangerd.cli.connection import dir_option, engine_config, file_option, json_option
from gangerd.errors import Usage
from gangerd.settings import build

if TYPE_CHECKING:
    from ganger.config import EngineConfig


@click.command()
@click.argument("type")
@click.argument("arguments", metavar="[JSON]...", nargs=-1)
@click.option("--queue", help="Instead of the type's own.")
@click.option("--delay", metavar="TIME", help="Not before so long from now: 90, 5m, 1h.")
@click.option("--at", metavar="INSTANT", help="Not before: 2031-05-01T08:00+02:00, or seconds since 1970.")
@click.option("--priority", type=click.IntRange(1, 9), help="9 is the most urgent.")
@click.option("--force", is_flag=True, help="Even when no live worker knows the type.")
@json_option
@file_option
@dir_option
def push(
    type: str,
    arguments: tuple[str, ...],
    queue: str | None,
    delay: str | None,
    at: str | None,
    priority: int | None,
    force: bool,
    as_json: bool,
    path: Path | None,
    directory: str | None,
) -> None:
    """Push a job of TYPE (shop.tasks.send) and print its id.

    Each JSON is one argument: ganger push shop.tasks.send '"a@b.c"' 3. A single array is all positional
    arguments, a single object all named ones."""
    if delay is not None and at is not None:
        raise Usage("--delay and --at exclude each other.")
    args, kwargs = parse_arguments(arguments)
    given: dict[str, Any] = {"queue": queue, "priority": priority}
    if delay is not None:
        given["delay"] = times.span_s("--delay", delay)
    if at is not None:
        given["at"] = times.instant("--at", at)
    config = engine_config(build(path=path, flags={"dir": directory}))
    jid = send(config, type, args, kwargs, given, force=force)
    if as_json:
        rendering.document({"jid": jid})
    else:
        click.echo(jid)


def send(
    config: "EngineConfig",
    type: str,
    args: list[Any],
    kwargs: dict[str, Any],
    given: dict[str, Any],
    *,
    force: bool,
) -> str:
    """The jid. With `force` the types that live workers announce are not asked."""
    from ganger.client import Client
    from ganger.errors import UnknownTypeWarning
    from ganger.keys import check_type
    from ganger.options import Options
    from ganger.push_options import push_options

    client = Client(config)
    try:
        if not force:
            with warnings.catch_warnings(record=True) as told:
                warnings.simplefilter("always", UnknownTypeWarning)
                jid = client.push(type, args, kwargs, **given)
            for warning in told:
                click.echo(f"ganger: {warning.message}", err=True)
            return jid
        return client.send(check_type(type), Options(), push_options(given), [(args, kwargs)])[0]
    finally:
        client.close()


def parse_arguments(texts: Sequence[str]) -> tuple[list[Any], dict[str, Any]]:
    """Positional and named arguments. Raises Usage, naming the argument that is no JSON."""
    values = []
    for number, text in enumerate(texts, start=1):
        try:
            values.append(json.loads(text, parse_constant=_refuse_constant))
        except RecursionError:
            raise Usage(f"argument {number} is nested too deep.") from None
        except ValueError as error:
            raise Usage(
                f"argument {number} is no JSON: {text!r} ({error}). Text needs quotes of its own: '\"text\"'."
            ) from None
    if len(values) == 1 and isinstance(values[0], list):
        return values[0], {}
    if len(values) == 1 and isinstance(values[0], dict):
        return [], values[0]
    return values, {}


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON value")
