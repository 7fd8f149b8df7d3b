"""How the looking commands print: one JSON document, or tables for people.

The only place of the command line that knows rich, and only when a table is asked for. Colours appear on a
terminal alone; where there is none, lines are as long as they need to be."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console, OverflowMethod
    from rich.table import Table

Block = str | tuple[str, tuple[Sequence[str], Sequence[Sequence[str]]]]
"""A part of a picture: a line, or (title, (columns, rows)) of a table."""

# Wide enough that nothing is cut where no terminal sets a width.
_NO_TERMINAL_WIDTH = 220
_ENDLESS = 10_000


def document(content: Any) -> None:
    """The one document of --json, on stdout."""
    click.echo(json.dumps(content, ensure_ascii=False, indent=2 if sys.stdout.isatty() else None))


def documents(contents: Iterable[Any]) -> None:
    """A list as the one document of --json, written item by item: it may be longer than memory."""
    before = "["
    for content in contents:
        click.echo(before + json.dumps(content, ensure_ascii=False), nl=False)
        before = ",\n "
    click.echo("[]" if before == "[" else "]")


@contextmanager
def progress(did: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on stderr while something is done to `total` things; of none, or with no terminal, nothing."""
    if not total or not sys.stderr.isatty():
        yield lambda count: None
        return
    from rich import progress as bars

    columns = (bars.BarColumn(), bars.MofNCompleteColumn(), bars.TimeRemainingColumn())
    with bars.Progress(bars.TextColumn(did), *columns, console=console(stderr=True), transient=True) as bar:
        task = bar.add_task(did, total=total)
        yield lambda count: bar.advance(task, count)


def console(*, stderr: bool = False) -> "Console":
    from rich.console import Console

    terminal = (sys.stderr if stderr else sys.stdout).isatty()
    return Console(stderr=stderr, highlight=False, width=None if terminal else _NO_TERMINAL_WIDTH)


def table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], *, title: str = "", out: "Console | None" = None
) -> None:
    """Columns whose name begins with > hold numbers. Text is printed as it is: no markup in it counts.

    Lines are as long as they need to be, in a narrow terminal too: a jid in five pieces can't be copied."""
    from rich.text import Text

    made = _made(columns, rows, "")
    out = out or console()
    needed = out.measure(made, options=out.options.update(max_width=_ENDLESS)).maximum
    before, out.width = out.width, max(out.width, needed)
    with out.capture() as told:
        if title:  # a table would break its own at its width
            out.print(Text(clean(title), style="table.title"), soft_wrap=True)
        out.print(made)
    out.width = before
    # Spaces at the end of a long line would be lines of their own in a narrow terminal.
    out.file.write("".join(f"{line.rstrip()}\n" for line in told.get().splitlines()))


def _made(columns: Sequence[str], rows: Sequence[Sequence[str]], title: str, *, cut: bool = False) -> "Table":
    """`cut`: where a line is too long its cells are cut, and no line becomes two."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(box=box.SIMPLE_HEAD, title=title or None, title_justify="left", pad_edge=False)
    for column in columns:
        name, right = column.removeprefix(">"), column.startswith(">")
        overflow: OverflowMethod = "ellipsis" if cut else "fold"
        made.add_column(name, justify="right" if right else "left", no_wrap=right or cut, overflow=overflow)
    for row in rows:
        made.add_row(*(Text(clean(cell), style=_STYLES.get(cell, "")) for cell in row))
    return made


def live(pictures: Iterator[Sequence[Block]]) -> None:
    """One picture after the other: in place on a terminal that can, else one below the other."""
    out = console()
    if not out.is_terminal or out.is_dumb_terminal:
        for picture in pictures:
            for block in picture:
                if isinstance(block, str):
                    click.echo(clean(block))
                else:
                    table(*block[1], title=block[0], out=out)
            out.file.flush()
        return
    from rich.console import Group
    from rich.live import Live
    from rich.text import Text

    with Live(console=out, screen=True, auto_refresh=False) as screen:
        for picture in pictures:
            made = [Text(clean(one)) if isinstance(one, str) else _fitting(out, *one) for one in picture]
            screen.update(Group(*made), refresh=True)


def _fitting(out: "Console", title: str, content: tuple[Sequence[str], Sequence[Sequence[str]]]) -> "Table":
    """As many columns as the screen has room for, from the left, and never a line in two."""
    columns, rows = content
    for count in range(len(columns), 0, -1):
        made = _made(columns[:count], [row[:count] for row in rows], title, cut=True)
        if out.measure(made, options=out.options.update(max_width=_ENDLESS)).maximum <= out.width:
            break
    return made


def clean(text: str) -> str:
    """Control characters made visible: what a job wrote must not steer the terminal."""
    return "".join(c if c.isprintable() or c == "\n" else f"\\x{ord(c):02x}" for c in text)


_STYLES = {
    "running": "green",
    "dead": "red",
    "segfault": "red",
    "oom_kill": "red",
    "timeout": "yellow",
    "memory_limit": "red",
    "killed": "red",
    "ok": "green",
    "failed": "red",
}
