"""A progress bar on stderr, where there is a terminal to show it on; nowhere else a word."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gangerd.cli import rendering


@contextmanager
def progress(what: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """`with progress("clearing mail", 1200) as done: done(500)`. Nobody need know the total; of
    nothing there is no bar."""
    if total == 0 or not sys.stderr.isatty():
        yield lambda count: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=rendering.console(stderr=True)) as bar:
        task = bar.add_task(what, total=total)

        def done(count: int) -> None:
            bar.advance(task, count)

        yield done
