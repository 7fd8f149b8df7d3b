"""`ganger check`: the configuration and the app, looked at as `ganger run` would."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gangerd.cli import rendering
from gangerd.cli.connection import connected, file_option, json_option
from gangerd.cli.words import plural
from gangerd.config import EXIT_CONFIG, Config, Limit
from gangerd.errors import BadConfig, Refused
from gangerd.settings import build, serving_mistakes
from gangerd.values import SETTINGS

if TYPE_CHECKING:
    from ganger.cluster import Cluster


@click.command()
@click.argument("app", required=False)
@file_option
@click.option("--redis", "look_at_redis", is_flag=True, help="And whether the cluster can be used.")
@json_option
def check(app: str | None, path: Path | None, look_at_redis: bool, as_json: bool) -> int:
    """Check the configuration and APP, a module as in an import: shop.tasks.

    Shows every mistake at once; exit code 78 when there is one."""
    mistakes: list[str] = []
    config = Config()
    try:
        config = build(path=path, flags={"app": app})
        mistakes += serving_mistakes(config)
        app = config.app or None
    except BadConfig as bad:
        mistakes += bad.mistakes
        app = app if app and _is_module(app) else None
    types: dict[str, str] = {}
    crons: dict[str, str] = {}
    warnings: list[str] = []
    if app is None and not mistakes:
        mistakes.append("no app is named: give its module, or set `app` in ganger.toml")
    elif app is not None:
        mistakes += examine(app, config, types, crons, warnings)
    if look_at_redis and not mistakes:
        mistakes += reach(path, warnings)
    for warning in [] if as_json else warnings:
        click.echo(f"ganger: warning: {warning}", err=True)
    if as_json:
        told = {"types": types, "crons": crons, "warnings": warnings}
        rendering.document({"ok": not mistakes, "errors": mistakes, **told})
    elif mistakes:
        for mistake in mistakes:
            click.echo(f"ganger: {mistake}", err=True)
    else:
        entries = f", {len(crons):,} cron {'entry' if len(crons) == 1 else 'entries'}" if crons else ""
        queued = plural(len(set(types.values())), "queue")
        click.echo(f"{app}: {plural(len(types), 'job type')} in {queued}{entries}.")
    return EXIT_CONFIG if mistakes else 0


def _is_module(app: str) -> bool:
    try:
        SETTINGS["app"].check(app)
    except Refused:
        return False
    return True


def examine(
    app: str, config: Config, types: dict[str, str], crons: dict[str, str], warnings: list[str]
) -> list[str]:
    """Import the app as the template does, in a child, since the import may end its process; fills `types`
    (type to queue), `crons` (name to schedule) and `warnings`, returns what is wrong."""
    from gangerd.probing import Ended, in_child

    try:
        found = in_child(lambda: _imported(app, config))
    except Ended as ended:
        return [f"importing {app!r} {ended}"]
    types.update(found["types"])
    crons.update(found["crons"])
    warnings += found["warnings"]
    mistakes: list[str] = found["mistakes"]
    return mistakes


def _imported(app: str, config: Config) -> dict[str, Any]:
    """In the child: {types, crons, warnings, mistakes}."""
    from gangerd.application import AppFailed, load, strangers

    try:
        manifest = load(app, forking=config.preload, crons=config.crons, places=config.cron_places)
    except AppFailed as failed:
        return {"types": {}, "crons": {}, "warnings": [], "mistakes": failed.mistakes}
    mistakes = strangers(app, manifest, config.queues)
    if any(entry["encrypt"] for entry in manifest["types"].values()):
        mistakes += keys()
    return {
        "types": {name: entry["queue"] for name, entry in manifest["types"].items()},
        "crons": {entry["name"]: f"{entry['cron']} {entry['tz']}" for entry in manifest["crons"]},
        "warnings": idle_limits(app, manifest, config.limits),
        "mistakes": mistakes,
    }


def idle_limits(app: str, manifest: Mapping[str, Any], limits: Mapping[str, Limit]) -> list[str]:
    """A sentence about each limit that limits no job of the app, or whose key none of them has. No mistakes:
    another app with the same ganger.toml may have them, and a push may say another queue than the type's."""
    from ganger.actor import registered

    found = []
    for name, limit in limits.items():
        of = f"job type {limit.type}" if limit.type else f"queue {limit.queue}"
        entries = manifest["types"].items()
        there = [type for type, entry in entries if limit.type == type or limit.queue == entry["queue"]]
        key = limit.limit_key.split(".")[1] if limit.limit_key else ""
        if not there:
            found.append(f"limits.{name} is on {of}, and {app} has no such job: is the name right?")
        elif key and not any(key.isdigit() or registered()[type].signature.takes(key) for type in there):
            found.append(
                f"limits.{name} is by {limit.limit_key}, but no job that it limits has an argument {key!r}:"
                " all share one key."
            )
    return found


def keys() -> list[str]:
    """What keeps the app's arguments from being encrypted."""
    from ganger.errors import GangerError
    from ganger.sealing import check_keys

    try:
        check_keys()
    except GangerError as error:
        return [str(error)]
    except Exception as error:  # the app's own, whose text may quote what it was about to tell
        return [f"the function given to encrypt_arguments raised {type(error).__name__}."]
    return []


def reach(path: Path | None, warnings: list[str]) -> list[str]:
    """What keeps the configured cluster from being used; adds to `warnings` what does not."""
    from ganger.errors import GangerError

    try:
        with connected(path) as (cluster, _):
            durability = build(path=path).durability
            warnings += cluster.check(durability=durability)
            if durability == "fsynced":
                cluster.check_disks()
            warnings += all_or_none(cluster)
            return []
    except GangerError as error:
        return [str(error)]


def all_or_none(cluster: "Cluster") -> list[str]:
    """Which nodes refuse everything while any one slot is without a node: Redis's default."""
    from ganger.errors import GangerError

    setting = "cluster-require-full-coverage"
    strict = []
    for node in cluster.nodes():
        try:
            if b"yes" in cluster.run_on(node, ("CONFIG", "GET", setting)):
                strict.append(str(node))
        except GangerError:  # a hosted Redis may not let us ask
            continue
    if not strict:
        return []
    return [
        f"with {setting} yes (at {', '.join(strict)}) all queues stop while one primary is gone and has no"
        f" replica to follow it: set {setting} no, and only that node's share stops."
    ]
