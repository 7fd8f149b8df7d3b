"""`ganger queue retain`: which ended jobs a queue keeps."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gangerd.cli import rendering
from gangerd.cli.connection import connected, dir_option, file_option, json_option
from gangerd.cli.words import number, plural, span
from gangerd.errors import Refused, Usage
from gangerd.values import span_ms

if TYPE_CHECKING:
    from ganger.operations.retain import Retention


@click.command()
@click.argument("name")
@click.option("--age", metavar="TIME", help="For so long after their end: 7d, 12h.")
@click.option("--count", type=click.IntRange(1), help="The newest so many, about.")
@click.option("--off", is_flag=True, help="None any more; what is kept goes.")
@json_option
@file_option
@dir_option
def retain(
    name: str,
    age: str | None,
    count: int | None,
    off: bool,
    as_json: bool,
    path: Path | None,
    directory: str | None,
) -> None:
    """Keep the ended jobs of queue NAME, or show what is kept. They can be replayed then."""
    if off and (age or count):
        raise Usage("--off keeps nothing: leave --age and --count out.")
    try:
        age_ms = span_ms(age) if age else 0
    except Refused as refused:
        raise Usage(f"--age {refused}.") from None
    from ganger.operations.retain import Retention
    from ganger.replaying.past import Past

    with connected(path, directory) as (cluster, control):
        past = Past(cluster, control)
        missing: dict[int, str] = {}
        wanted = Retention(age_ms, count or 0) if off or age_ms or count else past.retained(name)
        kept = past.kept(name)
        if off or age_ms or count:
            missing = past.retain(name, wanted)
    if as_json:
        found = {"queue": name, "age_ms": wanted.age_ms, "count": wanted.count, "kept": kept}
        rendering.document({**found, "missing": {str(index): why for index, why in missing.items()}})
        return
    click.echo(f"Queue {name} {_said(wanted)}. It has {number(kept)} now.")
    if missing:
        click.echo(f"{plural(len(missing), 'partition')} can't be reached now; a scheduler will tell them.")


def _said(wanted: "Retention") -> str:
    parts = [f"for {span(wanted.age_ms)}"] if wanted.age_ms else []
    parts += [f"the newest {number(wanted.count)}"] if wanted.count else []
    return f"keeps ended jobs: {' and of those '.join(parts)}" if parts else "keeps no ended jobs"
