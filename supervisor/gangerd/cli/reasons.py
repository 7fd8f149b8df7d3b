"""`ganger why`: why a job is not running, as sentences."""

from dataclasses import asdict
from pathlib import Path

import click

from gangerd.cli import rendering
from gangerd.cli.connection import administering, dir_option, file_option, json_option


@click.command()
@click.argument("jid")
@json_option
@file_option
@dir_option
def why(jid: str, as_json: bool, path: Path | None, directory: str | None) -> None:
    """Why the job JID is not running; the most telling reason first."""
    with administering(path, directory) as admin:
        reasons = admin.why(jid)
    if as_json:
        rendering.document({"jid": jid, "reasons": [asdict(reason) for reason in reasons]})
        return
    for reason in reasons:
        click.echo(rendering.clean(reason.text))
