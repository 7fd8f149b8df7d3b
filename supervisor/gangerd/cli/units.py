"""`ganger install-units`: a systemd service for an app, written from the commented originals."""

import difflib
import os
import pwd
import sys
from pathlib import Path

import click

from gangerd import units
from gangerd.cli.connection import file_option
from gangerd.errors import FileInTheWay, Usage
from gangerd.settings import build

SYSTEM = Path("/etc/systemd/system")
SETTLE_S = 15.0
"""Beyond shutdown_timeout: to end what still runs, to settle it, to leave in order."""


@click.command("install-units")
@click.argument("app", required=False)
@click.option("--name", help="ganger-NAME.service (default: the first word of APP).")
@click.option("--template", is_flag=True, help="ganger@.service, an instance an app, in place of APP's own.")
@click.option("--directory", "home", help="Where the app is imported from (default: here).")
@click.option("-w", "--workers", type=int, help="Worker processes (default: what the settings say).")
@click.option("--account", default="ganger", show_default=True, help="The account that it runs as.")
@click.option("--dynamic-user", is_flag=True, help="An account made for it at each start, in place of one.")
@click.option("--memory-max", default="80%", show_default=True, help="All its processes together.")
@click.option("--user", "personal", is_flag=True, help="For your own service manager, no root needed.")
@click.option("--into", type=click.Path(path_type=Path), help="Where unit files go.")
@click.option("--dry-run", is_flag=True, help="Show what would be written, and write nothing.")
@click.option("--force", is_flag=True, help="Also over files that say something else.")
@file_option
def install_units(
    app: str | None,
    name: str | None,
    template: bool,
    home: str | None,
    workers: int | None,
    account: str,
    dynamic_user: bool,
    memory_max: str,
    personal: bool,
    into: Path | None,
    dry_run: bool,
    force: bool,
    path: Path | None,
) -> int:
    """Write the systemd units that serve APP, a module as in an import: shop.tasks."""
    config = build(path=path, flags={"app": app})
    if template and (app or name or personal):
        raise Usage("--template makes one unit for every app; APP, --name and --user belong to a single one.")
    if not template and not config.app:
        raise Usage("which app? Name its module: ganger install-units shop.tasks (or ask for --template).")
    account = "" if dynamic_user or personal else account
    if template:
        service = units.an_instance(account=account)
    else:
        service = units.Service(
            name=name or config.app.partition(".")[0].partition(":")[0],
            command=str(_command()),
            app=app or ("" if path else config.app),
            directory=str(Path(home or ".").resolve()),
            settings=str(path.resolve()) if path else "",
            workers=workers,
            account=account,
            memory_max=memory_max,
            stop_s=config.shutdown_timeout_s + SETTLE_S,
            environment=str(_environment(personal)),
            personal=personal,
        )
    directory = into or (_personal_units() if personal else SYSTEM)
    files = {
        directory / service.unit: units.render(units.original(units.SERVICE), service),
        directory / units.SLICE: units.original(units.SLICE),
    }
    if dry_run:
        _show(files)
        return 0
    _write(files, force)
    _advise(service, account, personal)
    return 0


def _command() -> Path:
    """This very ganger, so that the service runs what was tried by hand."""
    beside = Path(sys.executable).with_name("ganger")
    return beside if beside.exists() else Path(sys.argv[0]).resolve()


def _environment(personal: bool) -> Path:
    return _home() / "ganger/environment" if personal else Path("/etc/ganger/environment")


def _home() -> Path:
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")


def _personal_units() -> Path:
    return _home() / "systemd/user"


def _show(files: dict[Path, str]) -> None:
    """What is new whole, what is there already as a difference."""
    for path, text in files.items():
        old = path.read_text() if path.exists() else None
        if old is None:
            click.echo(f"# {path} (new)\n{text}")
        elif old == text:
            click.echo(f"# {path} (as it is)\n")
        else:
            click.echo(f"# {path} (changed; written with --force only)\n{_difference(path, old, text)}")


def _difference(path: Path, old: str, new: str) -> str:
    lines = difflib.unified_diff(
        old.splitlines(keepends=True), new.splitlines(keepends=True), str(path), f"{path} (new)"
    )
    return "".join(lines)


def _write(files: dict[Path, str], force: bool) -> None:
    """All of them or, where one would be lost, none. A slice that somebody has sized stays as it is."""
    kept = {path for path in files if path.name == units.SLICE and path.exists() and not force}
    others = [
        path
        for path, text in files.items()
        if path not in kept and path.exists() and path.read_text() != text and not force
    ]
    if others:
        raise FileInTheWay(
            f"{', '.join(map(str, others))} says something else already: nothing was written. "
            "See the difference with --dry-run, write over it with --force."
        )
    for path, text in files.items():
        if path in kept:
            click.echo(f"kept {path}")
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        beside.write_text(text)
        beside.replace(path)
        click.echo(f"wrote {path}")


def _advise(service: units.Service, account: str, personal: bool) -> None:
    """What is left to be done by hand."""
    systemctl = "systemctl --user" if personal else "systemctl"
    unit = "ganger@NAME" if service.instance else service.unit.removesuffix(".service")
    if account and account not in {entry.pw_name for entry in pwd.getpwall()}:
        click.echo(f"next: useradd --system --home-dir /nonexistent --shell /usr/sbin/nologin {account}")
    click.echo(f"next: GANGER_REDIS=... and other secrets into {service.environment}, mode 0600")
    click.echo(f"next: {systemctl} daemon-reload && {systemctl} enable --now {unit}")
