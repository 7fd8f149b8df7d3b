"""`ganger health`: whether this host's ganger is well, as an exit code."""

import time
from pathlib import Path

import click
import msgspec

from gangerd import health as judging
from gangerd.cli.connection import dir_option, file_option, json_option
from gangerd.cli.words import plural
from gangerd.config import EXIT_FAILED, EXIT_OK
from gangerd.settings import build


@click.command()
@click.option("--live", "only_live", is_flag=True, help="Only: would a job be taken now?")
@click.option("--ready", "only_ready", is_flag=True, help="Only: started, and no end begun?")
@json_option
@file_option
@dir_option
def health(only_live: bool, only_ready: bool, as_json: bool, path: Path | None, directory: str | None) -> int:
    """Say whether this host's master and its processes are well; exit 0 if so, else 1.

    Looks at what they stamp into shared memory, in the run directory: it asks neither Redis nor them."""
    config = build(path=path, flags={"dir": directory})
    found = judging.judge(judging.find(config.run_dir), time.monotonic_ns())
    asked = [name for name, only in (("live", only_live), ("ready", only_ready)) if only] or ["live", "ready"]
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
    else:
        for name in asked:
            click.echo(f"{name}: {'yes' if found.is_well(name) else 'no'}")
        for reason in found.reasons:
            click.echo(f"  {reason}")
        if found.workers:
            click.echo(f"  {plural(found.workers, 'worker')} may claim")
    return EXIT_OK if found.is_well(*asked) else EXIT_FAILED
