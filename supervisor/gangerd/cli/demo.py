"""`ganger demo`: the stage lit, the play performed, and what it showed as tables. Exit 0 only if all of it is
true."""

import os
import secrets
import shutil
import signal
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gangerd.cli import rendering, tables
from gangerd.cli.words import number, plural, span
from gangerd.config import EXIT_FAILED
from gangerd.errors import Usage

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

    from gangerd.demo.play import Review


@click.command()
@click.option("-w", "--workers", type=click.IntRange(2, 64), default=4, show_default=True)
@click.option("--limit", type=click.IntRange(12), help="So many of the files only.")
@click.option(
    "--embedded/--no-embedded",
    default=True,
    help="With servers of its own (default), or those of GANGER_REDIS.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.option("--keep", is_flag=True, help="Keep the log and the results.")
def demo(workers: int, limit: int | None, embedded: bool, as_json: bool, keep: bool) -> int:
    """Index every source file of Python's standard library while three saboteurs run among the jobs."""
    redis = "" if embedded else os.environ.get("GANGER_REDIS", "")
    if not embedded and not redis:
        raise Usage("--no-embedded needs GANGER_REDIS=redis://host:port.")
    from gangerd.demo.jobs import MEMORY_BYTES
    from gangerd.demo.play import Play
    from gangerd.demo.stage import Stage

    # A TERM must clean up as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    directory = Path(tempfile.mkdtemp(prefix="ganger-demo-"))
    namespace = f"demo-{secrets.token_hex(4)}"
    stage = Stage(directory, workers=workers, memory_max_bytes=MEMORY_BYTES, redis=redis, namespace=namespace)
    audience = Watching(rendering.console(stderr=as_json))
    try:
        play = Play(directory, stage, audience, limit=limit)
        with audience.lights_up(play.files, workers):
            review = play.perform()
            audience.over()
        keep = keep or bool(review.wrong)
    except Exception:
        keep = True
        raise
    finally:
        if keep:
            click.echo(f"ganger: log and results are kept in {directory}", err=True)
        else:
            shutil.rmtree(directory, ignore_errors=True)
    if as_json:
        rendering.document(_document(review))
    else:
        _print(review, audience.console)
    return EXIT_FAILED if review.wrong else 0


class Watching:
    """The progress bar, and a line above it for each death."""

    def __init__(self, console: "Console") -> None:
        self.console = console
        self._progress: Progress | None = None

    def lights_up(self, files: int, workers: int) -> "Progress":
        from rich import progress

        self.console.print(
            f"Indexing {plural(files, 'source file')} with {plural(workers, 'worker')}; "
            "three jobs among them kill their workers."
        )
        self._progress = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TimeElapsedColumn(),
            console=self.console,
        )
        self._task = self._progress.add_task("starting servers", total=files)
        return self._progress

    def pushed(self, count: int) -> None:
        if self._progress:
            self._progress.update(self._task, description=f"pushed {count:,}")

    def progress(self, done: int) -> None:
        if self._progress:
            over = done >= (self._progress.tasks[0].total or 0)
            said = "indexed; saboteurs being retried" if over else "indexed"
            self._progress.update(self._task, completed=done, description=said)

    def over(self) -> None:
        if self._progress:
            self._progress.update(self._task, description="indexed")

    def death(self, crash: Mapping[str, Any]) -> None:
        job = str(crash["type"]).rpartition(".")[2]
        self.console.print(
            f"  worker {crash['pid']} died: {crash['cause']} in job {job}, attempt {crash['attempt']}",
            style="red",
        )


def _print(review: "Review", console: "Console") -> None:
    from gangerd.demo.story import COLUMNS, chapters, harvest

    seen = review.outcome
    once = len(set(seen.indexed))
    found = harvest(review.lines)
    rendering.table(
        (">files", ">indexed", ">lines", ">classes", ">functions", ">wrong on purpose", ">took", ">jobs/s"),
        [
            (
                number(seen.files),
                number(once),
                number(found["lines"]),
                number(found["classes"]),
                number(found["functions"]),
                number(found["unparsable"]),
                span(review.took_s * 1000),
                number(int(len(seen.indexed) / review.took_s)),
            )
        ],
        title="The work",
        out=console,
    )
    rows = [
        (
            name,
            number(crash["attempt"]),
            str(crash["pid"]),
            str(crash["cause"]),
            span(crash["ran_ms"]),
            tables.evidence(crash["evidence"]),
            then,
        )
        for crash, name, then in chapters(seen)
    ]
    rendering.table(COLUMNS, rows, title="The saboteurs", out=console)
    if review.wrong:
        console.print("This is not as it should be:", style="bold red")
        for sentence in review.wrong:
            console.print(f"  {sentence}", style="red", markup=False)
        return
    console.print(
        f"Nothing was lost: {once:,} of {seen.files:,} files were indexed, each exactly once, while "
        f"{plural(len(seen.crashes), 'worker')} died and {plural(len(seen.saboteurs), 'saboteur')} "
        "ended among the dead letters.",
        style="bold green",
    )


def _document(review: "Review") -> dict[str, Any]:
    seen = review.outcome
    return {
        "ok": not review.wrong,
        "wrong": review.wrong,
        "files": seen.files,
        "indexed": len(seen.indexed),
        "took_s": round(review.took_s, 3),
        "saboteurs": dict(seen.saboteurs),
        "crashes": list(seen.crashes),
        "totals": dict(seen.totals),
    }
