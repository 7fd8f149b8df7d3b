"""From settings to a live cluster, for the commands that look or push. The engine is imported on use."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from gangerd.config import Config
from gangerd.settings import build

if TYPE_CHECKING:
    from ganger.admin import Admin
    from ganger.cluster import Cluster
    from ganger.config import EngineConfig
    from ganger.keys import Control

CONNECT_S = 2.0

Command = TypeVar("Command", bound=Callable[..., Any])


def file_option(command: Command) -> Command:
    return click.option(
        "-c", "--config", "path", type=click.Path(path_type=Path), help="Settings (default: ganger.toml)."
    )(command)


def dir_option(command: Command) -> Command:
    return click.option("--dir", "directory", help="Where the embedded servers are (default: .ganger).")(
        command
    )


def json_option(command: Command) -> Command:
    return click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")(command)


def engine_config(config: Config) -> "EngineConfig":
    """What the engine needs to know; raises NotConfigured when no Redis is named anywhere."""
    from ganger.config import EngineConfig

    settings: dict[str, Any] = {
        "dir": config.dir,
        "namespace": config.namespace,
        "durability": config.durability,
        "max_job_bytes": config.max_job_bytes,
        "unknown_types": config.unknown_types,
        "semaphores": list(config.semaphores),
    }
    if config.redis:
        settings["redis"] = config.redis
    return EngineConfig.discover(env={}, cwd=Path(config.dir).parent, toml=settings)


@contextmanager
def connected(path: Path | None, directory: str | None = None) -> "Iterator[tuple[Cluster, Control]]":
    """A cluster that was found fit to be used, and the names of its shared keys; closed at the end."""
    from ganger.cluster import Cluster
    from ganger.keys import Control

    config = build(path=path, flags={"dir": directory})
    cluster = Cluster(engine_config(config).redis)
    try:
        cluster.check(deadline_s=CONNECT_S)
        yield cluster, Control(config.namespace)
    finally:
        cluster.close()


@contextmanager
def administering(path: Path | None, directory: str | None = None) -> "Iterator[Admin]":
    """The same for what `Admin` shows and does."""
    from ganger.admin import Admin

    with connected(path, directory) as (cluster, control):
        yield Admin(cluster, control)
