"""`ganger run`: from the command line to a running master."""

import os
from pathlib import Path
from typing import Any

import click
import msgspec

from gangerd.cli.connection import file_option
from gangerd.config import Config
from gangerd.errors import BadConfig, Usage
from gangerd.settings import build, serving_mistakes


@click.command()
@click.argument("app", required=False)
@click.option("-w", "--workers", type=int, help="Worker processes (default 4).")
@click.option(
    "-q",
    "--queue",
    "queues",
    multiple=True,
    metavar="NAME[:WEIGHT]",
    help="Serve this queue; repeat for more.",
)
@click.option("--strict", is_flag=True, help="A queue only while those named before it show no work.")
@file_option
@click.option("--embedded", is_flag=True, default=None, help="Bring along servers of one's own, on loopback.")
@click.option("--dir", "directory", help="Where the servers and the run keep their files (default .ganger).")
@click.option("--memory-max", help="What a job may add to its worker's memory, as 512M or 2G.")
@click.option("--shutdown-timeout", type=float, help="Seconds that running jobs get at the end (default 25).")
@click.option("--log-format", help="auto, json or console.")
@click.option("--log-level", help="debug, info, warning or error.")
def run(
    app: str | None,
    queues: tuple[str, ...],
    strict: bool,
    path: Path | None,
    directory: str | None,
    **flags: Any,
) -> int:
    """Serve the jobs of APP, a module as in an import: shop.tasks."""
    order = "strict" if strict else None
    named = {"app": app, "dir": directory, "queues": weights(queues) or None, "order": order}
    place = working_directory()
    config = choose_servers(whole(place, path, named | flags))

    def reread() -> Config:
        # By its name: a release may be another directory behind the same link by now.
        os.chdir(place)
        again = whole(place, path, named | flags)
        return again if again.redis else msgspec.structs.replace(again, embedded=config.embedded)

    from gangerd.master import loop

    return loop.run(config, reread=reread)


def whole(place: Path, path: Path | None, flags: dict[str, Any]) -> Config:
    """The settings as they are written now, fit to be served with. Raises BadConfig, Usage."""
    config = build(path=path, flags=flags, cwd=place)
    if not config.app:
        raise Usage("which app? Name its module: ganger run shop.tasks (or set `app` in ganger.toml).")
    if mistakes := serving_mistakes(config):
        raise BadConfig(mistakes)
    return config


def working_directory() -> Path:
    """Where we were started, by the name that the shell or the unit had for it ($PWD), which may hold links
    that lead elsewhere at the next reload."""
    named = Path(os.environ.get("PWD", ""))
    if named.is_absolute() and named.is_dir() and named.samefile("."):
        return named
    return Path.cwd()


def weights(queues: tuple[str, ...]) -> dict[str, int]:
    """mail:3 and default, as given by -q. Raises BadConfig for what is no weight."""
    found: dict[str, int] = {}
    for given in queues:
        name, colon, weight = given.rpartition(":")
        # A queue's name may hold colons itself: only a number after the last one is a weight.
        if colon and weight.lstrip("-").isdigit():
            found[name] = int(weight)
        elif colon and not weight:
            raise BadConfig([f"-q {given}: a weight is missing after the colon"])
        else:
            found[given] = 1
    return found


def choose_servers(config: Config) -> Config:
    """The embedded servers when nothing else is configured, and not in silence.

    Raises BadConfig under systemd: a service must not start a database because a variable is missing."""
    if config.redis or config.embedded:
        return config
    if "INVOCATION_ID" in os.environ or "NOTIFY_SOCKET" in os.environ:
        raise BadConfig(
            [
                "no Redis is configured, and under systemd the embedded servers must be asked for by name: "
                "set GANGER_REDIS=redis://host:port (or `redis` in ganger.toml), or add --embedded."
            ]
        )
    place = os.path.relpath(config.dir)
    click.secho(
        f"ganger: no Redis is configured: using embedded servers in {place}, for this machine only. "
        "For a cluster elsewhere set GANGER_REDIS=redis://host:port.",
        err=True,
        fg="yellow",
        bold=True,
    )
    return msgspec.structs.replace(config, embedded=True)
