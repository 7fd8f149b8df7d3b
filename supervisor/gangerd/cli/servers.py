"""`ganger embedded`: the embedded servers alone, until INT or TERM."""

import os
import select
import signal
from pathlib import Path

import click

from gangerd.cli.connection import file_option
from gangerd.embedded import binary, layout
from gangerd.embedded.fleet import Fleet
from gangerd.settings import build

_WATCH_MS = 200


@click.command()
@click.option("--dir", "directory", help="Where they keep their data (default .ganger).")
@click.option("--shards", type=click.IntRange(1, 32), default=1, show_default=True, help="Cluster primaries.")
@file_option
def embedded(directory: str | None, shards: int, path: Path | None) -> None:
    """Start a cluster and a server for semaphores on loopback, and print the settings to use them.

    They come back on the same ports and with the same data at the next start. Where some run already, those
    are used, and kept when their keeper leaves."""
    config = build(path=path, flags={"dir": directory})
    from gangerd.linux import signals

    arrived = signals.install([signal.SIGINT, signal.SIGTERM, signal.SIGCHLD])
    fleet = Fleet(Path(config.dir), binary.find, shards=shards)
    try:
        kept = fleet.join_or_start()
        _announce(config.embedded_file, shards if kept else 0)
        poller = select.poll()
        poller.register(arrived, select.POLLIN)
        while not {signal.SIGINT, signal.SIGTERM} & set(signals.read()):
            if fleet.kept:
                for sentence in fleet.watch():
                    click.echo(f"ganger: {sentence}.", err=True)
            elif fleet.take_over():
                click.echo(f"ganger: process {os.getpid()} keeps the servers from now on.", err=True)
            poller.poll(_WATCH_MS)
    finally:
        fleet.stop()


def _announce(file: Path, asked: int) -> None:
    known = layout.announced(file) or {}
    click.echo(f"export GANGER_REDIS='{known['redis']}'")
    click.echo(f"export GANGER_SEMAPHORES='{','.join(known['semaphores'])}'")
    shards = str(known["redis"]).count(",") + 1
    if not asked:
        click.echo(f"ganger: these run already, kept by process {known['pid']}.", err=True)
    elif shards != asked:
        held = "1 primary" if shards == 1 else f"{shards} primaries"
        click.echo(
            f"ganger: the servers of {file.parent} have {held}, not {asked}: their data says so.", err=True
        )
