"""`ganger bench`: the cases played, told as tables, as one JSON document, and as files."""

import json
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from gangerd.bench.cases import CASES
from gangerd.cli import rendering
from gangerd.cli.connection import file_option
from gangerd.config import EXIT_FAILED, EXIT_OK
from gangerd.errors import Usage
from gangerd.settings import build

JSON_FILE, PLOT_FILE = "performance.json", "performance.svg"


@click.command()
@click.argument("cases", metavar="[CASE]...", nargs=-1)
@click.option("--list", "listed", is_flag=True, help="Say which cases there are, and measure nothing.")
@click.option("--quick", is_flag=True, help="Two minutes instead of twelve: smaller numbers, one round.")
@click.option(
    "--embedded/--no-embedded",
    default=True,
    help="On servers of its own (default), or on the configured cluster.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help=f"Write {JSON_FILE} and {PLOT_FILE} there.",
)
@file_option
def bench(
    cases: tuple[str, ...],
    listed: bool,
    quick: bool,
    embedded: bool,
    as_json: bool,
    out: Path | None,
    path: Path | None,
) -> int:
    """Measure what this machine does with ganger: all cases, or those named."""
    if listed:
        return _list(as_json)
    unknown = [name for name in cases if name not in CASES]
    if unknown:
        raise Usage(f"there is no case {unknown[0]!r}; there are {', '.join(CASES)}.")
    redis, semaphores = ("", ()) if embedded else _configured(path)
    from gangerd.bench import run

    # A TERM must end servers and clear the namespace as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
    played = []
    with _progress() as tell:
        tell("looking at the servers")
        machine = run.measured_on(redis, semaphores)
        if not as_json:
            click.echo(sentence(machine, quick))
        chosen = [name for name in CASES if not cases or name in cases]
        for one in run.play(chosen, quick=quick, redis=redis, semaphores=semaphores, tell=tell):
            played.append(one)
            if one.failed:
                click.echo(f"ganger: {one.name} could not be measured: {one.failed}", err=True)
            elif not as_json:
                _table(one.name, one.about, one.figures)
    content = run.document(machine, quick, played)
    if out is not None:
        _write(out, content)
    if as_json:
        rendering.document(content)
    else:
        _targets(content["targets"])
    return EXIT_FAILED if any(one.failed for one in played) else EXIT_OK


def sentence(machine: Mapping[str, Any], quick: bool) -> str:
    """What it was measured on."""
    servers = "servers of its own on the same cores" if machine["own_servers"] else "the configured cluster"
    return (
        f"Measured on {machine['at']} UTC{', in a hurry (--quick)' if quick else ''}:"
        f" {machine['cores']} cores ({machine['processor']}), Linux {machine['kernel']},"
        f" a load of {machine['load_before']} before;"
        f" ganger {machine['ganger']}, Python {machine['python']}, {machine['server']}, {servers}."
    )


def _configured(path: Path | None) -> tuple[str, tuple[str, ...]]:
    config = build(path=path)
    if not config.redis:
        raise Usage(
            "--no-embedded needs a cluster: set GANGER_REDIS=redis://host:port, or `redis` in ganger.toml."
        )
    return config.redis, tuple(config.semaphores)


def _list(as_json: bool) -> int:
    if as_json:
        rendering.document(CASES)
    else:
        rendering.table(("case", "measures"), list(CASES.items()))
    return EXIT_OK


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """What is being done just now, on stderr where that is a terminal."""
    out = rendering.console(stderr=True)
    if not out.is_terminal:
        yield lambda text: None
        return
    with out.status("") as status:
        yield lambda text: status.update(text)


def _table(name: str, about: str, figures: Sequence[Any]) -> None:
    rows = [
        (figure.name, amount(figure.value), figure.unit, ratio(figure.ratio, figure.to)) for figure in figures
    ]
    rendering.table(("what", ">measured", "unit", "ratio"), rows, title=f"{name}: {about}")


def _targets(found: Sequence[Mapping[str, Any]]) -> None:
    if not found:
        return
    rows = [
        (
            one["what"],
            one["wanted"],
            amount(one["measured"]),
            "ok" if one["held"] else missed(one["missed_by"]),
        )
        for one in found
    ]
    rendering.table(("target", "wanted", ">measured", "kept"), rows, title="targets")


def missed(by: float) -> str:
    return f"missed by {by:.0%}" if by >= 0.01 else "missed by less than 1%"


def amount(value: float) -> str:
    """Three digits that matter."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def ratio(value: float | None, to: str) -> str:
    return "" if value is None else f"{value:.2f} of {to}"


def _write(out: Path, content: Mapping[str, Any]) -> None:
    from gangerd.bench import plot
    from gangerd.bench.case import Figure

    (out / JSON_FILE).write_text(json.dumps(content, indent=1) + "\n")
    figures = {each["key"]: Figure(**each) for case in content["cases"] for each in case["figures"]}
    caption = sentence(content["measured_on"], content["quick"])
    (out / PLOT_FILE).write_text(plot.draw(plot.panels(figures), caption))
