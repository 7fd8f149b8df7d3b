"""`ganger chaos`: faults injected into a cluster, hosts and producers, and every job accounted for.

The harness is part of the repository's tests (tests/chaos), not of the package: this command finds the
checkout that it runs from. Exit 0 only if nothing was wrong."""

import importlib
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
from gangerd.errors import FileInTheWay, NoCheckout, NoServerBinary

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


@click.command()
@click.option("--minutes", type=click.FloatRange(0.3), default=3.0, show_default=True, help="Under fire.")
@click.option("--seed", type=int, help="Of the schedule; a random one is printed.")
@click.option("--rate", type=click.FloatRange(1), default=500.0, show_default=True, help="Jobs a second.")
@click.option(
    "--pace", type=click.FloatRange(0.1), default=1.0, show_default=True, help="Faults: times as many."
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
def chaos(
    minutes: float,
    seed: int | None,
    rate: float,
    pace: float,
    only: tuple[str, ...],
    server: str,
    plant: str | None,
    as_json: bool,
    keep: Path | None,
) -> int:
    """Inject faults for some minutes, and check that nothing is lost. From a checkout with the dev extra."""
    run = harness()
    if not run.binary_path(server):
        raise NoServerBinary(
            "There is no redis-server 7.0 or newer on PATH: install one, or take --server valkey."
        )
    # A TERM must clean up as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    seed = secrets.randbelow(1_000_000) if seed is None else seed
    root = keep or Path(tempfile.mkdtemp(prefix="ganger-chaos-"))
    if keep is not None and keep.exists() and any(keep.iterdir()):
        raise FileInTheWay(f"{keep} is not empty: name a new directory for --keep.")
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
    out.print(
        f"{report.minutes:g} minutes, --seed {report.seed} --server {report.server}{planted};"
        f" {report.took_s:,.0f} s in all"
    )
    for title, rows in report.tables():
        rendering.table(
            ("what", ">how many" if title != "From push to begin" else "how long"), rows, title=title
        )
    if report.ok:
        out.print("Nothing was lost, nothing ran twice without a reason, nothing leaked.", style="bold green")
        return
    count = len(report.violations)
    out.print(f"{count:,} things are not as they should be:", style="bold red")
    for rule, text, jid in report.violations[:MOST_SHOWN]:
        out.print(f"  {rule}  {text}  {jid}", style="red", markup=False)
    if count > MOST_SHOWN:
        out.print(f"  and {count - MOST_SHOWN:,} more: --json tells all", style="red")
