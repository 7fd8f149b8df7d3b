"""`ganger chaos`: faults injected into a cluster, hosts and producers, and every job accounted for.

The harness is part of the repository's tests (tests/chaos), not of the package: this command finds the
checkout that it runs from. Exit 0 only if nothing was wrong."""

import importlib
import math
import secrets
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gangerd.cli import rendering
from gangerd.config import EXIT_FAILED
from gangerd.errors import FileInTheWay, NoCheckout, NoServerBinary, NothingKept, Usage

if TYPE_CHECKING:
    from rich.console import Console

TESTS = Path(__file__).parents[3] / "tests"
MOST_SHOWN = 20
SORTS = (
    "processes",
    "failover",
    "partition",
    "slots",
    "servers",
    "refusals",
    "network",
    "clock",
    "semaphores",
    "operators",
)
PLANTS = ("unfenced-settle", "drop-before-add", "majority-count", "deaf-to-pauses")
SERVERS = ("valkey", "redis")


class Number(click.FloatRange):
    """A number between two, which `nan` and `inf` are not."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        found = super().convert(value, param, ctx)
        if not math.isfinite(found):
            self.fail(f"{value!r} is not a number from {self.min:g} to {self.max:g}.", param, ctx)
        return found


@click.command()
@click.option(
    "--minutes",
    type=Number(0.3, 10_000),
    default=3.0,
    show_default=True,
    help="From the first push until all is healed; at first, for 15 % of it and at most 30 s, nothing is"
    " struck. To drain and to check comes on top.",
)
@click.option("--seed", type=int, help="Of the schedule; a random one is printed.")
@click.option("--rate", type=Number(1, 100_000), default=500.0, show_default=True, help="Jobs a second.")
@click.option(
    "--pace",
    type=Number(0.1, 100),
    default=1.0,
    show_default=True,
    help="3: each fault three times as often.",
)
@click.option(
    "--only", multiple=True, type=click.Choice(SORTS), help="Faults of this sort only; repeat for more."
)
@click.option(
    "--server",
    type=click.Choice(SERVERS),
    default="valkey",
    show_default=True,
    help="What the servers run: the valkey-server of the dev extra, or redis-server from PATH.",
)
@click.option("--plant", type=click.Choice(PLANTS), help="Plant a bug, to see that it is found.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.option("--keep", type=click.Path(path_type=Path), help="Keep journals and logs here.")
@click.option(
    "--judge",
    type=click.Path(path_type=Path),
    help="Run nothing: judge what was kept there once more. Takes --json beside it, and nothing else.",
)
@click.pass_context
def chaos(
    context: click.Context,
    minutes: float,
    seed: int | None,
    rate: float,
    pace: float,
    only: tuple[str, ...],
    server: str,
    plant: str | None,
    as_json: bool,
    keep: Path | None,
    judge: Path | None,
) -> int:
    """Inject faults for some minutes, and check that nothing is lost. From a checkout with the dev extra.

    Starts a cluster, servers for semaphores, hosts and producers of its own; no configured server is touched.
    As root it fills file systems too, and with iproute2 cuts the lines of hosts and nodes; with libfaketime
    it steps nodes' clocks. The report says what was not possible."""
    run = harness()
    if judge is not None:
        return _show(_judged(run, judge, context), as_json)
    if not run.binary_path(server):
        raise NoServerBinary(
            "There is no redis-server 7.0 or newer on PATH: install one, or take --server valkey."
        )
    # A TERM must clean up as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    seed = secrets.randbelow(1_000_000) if seed is None else seed
    root = _emptied(keep) if keep is not None else Path(tempfile.mkdtemp(prefix="ganger-chaos-"))
    plan = run.Plan(
        seed, minutes, per_s=rate, pace=pace, only=only, plant=plant or "", apart=True, server=server
    )
    click.echo(f"ganger: chaos for {minutes:g} minutes, --seed {seed}, --server {server}", err=True)
    kept = keep is not None
    say = Telling()
    try:
        report = run.run(plan, root, say)
        kept = kept or not report.ok
    except BaseException:
        kept = True
        raise
    finally:
        say.end()
        if kept:
            click.echo(f"ganger: journals and logs are in {root}", err=True)
        else:
            shutil.rmtree(root, ignore_errors=True)
    return _show(report, as_json)


def _emptied(keep: Path) -> Path:
    """The directory for journals and logs: there, and with nothing in it."""
    try:
        keep.mkdir(parents=True, exist_ok=True)
        if any(keep.iterdir()):
            raise FileInTheWay(f"{keep} is not empty: name a new directory for --keep.")
        with tempfile.TemporaryFile(dir=keep):
            pass
    except OSError as error:
        raise FileInTheWay(f"{keep} can't hold what --keep keeps: {error.strerror}.") from None
    return keep


def _judged(run: Any, directory: Path, context: click.Context) -> Any:
    """The report of a run that is over."""
    given = {
        f"--{name}"
        for name in context.params
        if name not in ("judge", "as_json")
        and context.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT
    }
    if given:
        raise Usage(f"--judge runs nothing, so {', '.join(sorted(given))} says nothing: leave it out.")
    report = run.judge(directory)
    if report is None:
        raise NothingKept(
            f"{directory} does not hold a run that came to its end: name what --keep named, or the directory"
            " that a run told at its end."
        )
    return report


def _show(report: Any, as_json: bool) -> int:
    if as_json:
        rendering.document(report.document())
    else:
        _print(report, rendering.console())
    return 0 if report.ok else EXIT_FAILED


def harness() -> Any:
    """tests/chaos/run.py of this checkout. Raises NoCheckout."""
    if not (TESTS / "chaos" / "run.py").exists():
        raise NoCheckout(
            "ganger chaos needs a checkout of ganger's repository: clone it, `make setup`, try there."
        )
    sys.path.insert(0, str(TESTS))
    try:
        return importlib.import_module("chaos.run")
    except ModuleNotFoundError as error:
        raise NoCheckout(f"ganger chaos needs the dev extra (`make setup`): {error}.") from None


class Telling:
    """One line that changes on a terminal; elsewhere one each minute."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._last_s = -60.0

    def __call__(self, line: str) -> None:
        if self._terminal:
            click.echo(f"\r\033[K{line}", nl=False, err=True)
        elif time.monotonic() - self._last_s >= 60:
            self._last_s = time.monotonic()
            click.echo(line, err=True)

    def end(self) -> None:
        if self._terminal:
            click.echo("\r\033[K", nl=False, err=True)


def _print(report: Any, out: "Console") -> None:
    planted = f", with {report.plant} planted" if report.plant else ""
    known = f"--seed {report.seed} --server {report.server}" if report.seed is not None else "seed unknown"
    out.print(f"{report.minutes:g} minutes, {known}{planted}; {report.took_s:,.0f} s in all")
    out.print(report.origin(), markup=False)
    for title, rows in report.tables():
        rendering.table(
            ("what", ">how many" if title != "From push to begin" else "how long"), rows, title=title
        )
    if report.ok:
        out.print("Nothing was lost, nothing ran twice without a reason, nothing leaked.", style="bold green")
    if count := len(report.violations):
        out.print(f"{count:,} things are not as they should be:", style="bold red")
    for rule, text, jid in report.violations[:MOST_SHOWN]:
        out.print(f"  {rule}  {text}  {jid}", style="red", markup=False)
    if count > MOST_SHOWN:
        out.print(f"  and {count - MOST_SHOWN:,} more: --json tells all", style="red")
    if report.not_judged:
        out.print("What the servers held at its end was not kept. Not judged:", style="bold yellow")
    for text in report.not_judged:
        out.print(f"  {text}", style="yellow")
