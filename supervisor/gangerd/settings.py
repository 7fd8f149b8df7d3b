"""Where a configuration comes from: defaults, then ganger.toml, then the environment, then flags.

Each layer is checked in full before anything is refused, so that one run shows every mistake, each with its
line or variable and with what is allowed. Called by the command line alone; config.py is the result."""

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from gangerd.config import Config
from gangerd.errors import BadConfig, Refused
from gangerd.limit_values import conflicts
from gangerd.values import SETTINGS

FILE = "ganger.toml"
ENVIRONMENT = {
    "GANGER_REDIS": "redis",
    "GANGER_SEMAPHORES": "semaphores",
    "GANGER_STATSD": "statsd",
    "GANGER_NAMESPACE": "namespace",
}
_TABLES = {"queues", "dead", "retain", "limits"}


@dataclass(slots=True)
class _Layers:
    """What has been read so far: the fields that a layer set, and every mistake."""

    fields: dict[str, Any] = field(default_factory=dict)
    mistakes: list[str] = field(default_factory=list)

    def take(self, name: str, value: Any, where: str) -> None:
        setting = SETTINGS[name]
        try:
            checked = setting.check(value)
        except Refused as refused:
            self.mistakes.append(f"{where} {refused}")
            return
        self.fields[setting.field] = checked
        # Servers elsewhere and servers of one's own exclude each other: the later layer decides.
        if name == "redis" and checked and self.fields.get("embedded"):
            self.fields["embedded"] = False
        if name == "embedded" and checked:
            self.fields["redis"] = ""


def build(
    *,
    path: Path | None = None,
    flags: Mapping[str, Any] | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Config:
    """The configuration; `flags` maps settings to values (None: not given), `path` is `-c FILE` (None:
    ganger.toml in `cwd` where there is one).

    Raises BadConfig with every mistake of all layers."""
    env = os.environ if env is None else env
    cwd = Path.cwd() if cwd is None else cwd
    layers = _Layers()
    _file(layers, path, cwd)
    for variable, name in ENVIRONMENT.items():
        if env.get(variable):
            value: Any = env[variable]
            if name == "semaphores":
                value = [part.strip() for part in value.split(",") if part.strip()]
            layers.take(name, value, f"{variable}:")
    for name, value in (flags or {}).items():
        if value is not None:
            layers.take(name, value, f"{_flag(name)}:")
    config = msgspec.convert({}, Config) if layers.mistakes else Config(**layers.fields)
    if 2 * config.renew_ms > config.lease_ms:
        layers.mistakes.append(
            f"renew_ms must be at most half of lease_ms: they are {config.renew_ms} and {config.lease_ms}"
        )
    layers.mistakes += conflicts(config.limits)
    if layers.mistakes:
        raise BadConfig(layers.mistakes)
    return msgspec.structs.replace(config, dir=str((cwd / config.dir).absolute()))


def serving_mistakes(config: Config) -> list[str]:
    """What keeps a whole configuration from being served with, though other commands can use it."""
    mistakes = []
    if config.order == "strict" and not config.queues:
        mistakes.append(
            "order = strict needs the queues in their order: name them under [queues], or with -q"
        )
    if config.limits and config.redis and not config.semaphores:
        mistakes.append(
            "limits need servers for semaphores: set semaphores (or GANGER_SEMAPHORES) to the URLs of 1, 3"
            " or 5 standalone Redis servers"
        )
    return mistakes


def _flag(name: str) -> str:
    """What the command line calls a setting."""
    said = {"app": "the argument APP", "queues": "-q", "order": "--strict"}
    return said.get(name) or f"--{name.removesuffix('_s').replace('_', '-')}"


def _file(layers: _Layers, path: Path | None, cwd: Path) -> None:
    name = str(path or FILE)
    try:
        text = (cwd / name).read_text(encoding="utf-8")
    except FileNotFoundError:
        if path is not None:
            layers.mistakes.append(f"{name}: there is no such file")
        return
    except (OSError, UnicodeDecodeError) as error:
        layers.mistakes.append(f"{name}: can't be read: {error}")
        return
    try:
        content = tomllib.loads(text)
    except RecursionError:
        layers.mistakes.append(f"{name}: is nested too deep")
        return
    except ValueError as error:  # also a number of thousands of digits
        layers.mistakes.append(f"{name}: is no valid TOML: {error}")
        return
    lines = dict(_lines(text))
    starts = [number for key, number in _lines(text) if key == "cron"]
    layers.fields["cron_places"] = tuple(f"{name} line {number}:" for number in starts)
    if "redis" in content and content.get("embedded") is True:
        where = f"{name} line {lines.get('embedded', 1)}:"
        layers.mistakes.append(f"{where} embedded = true and redis exclude each other: leave one out")
    for key, value in content.items():
        where = f"{name} line {lines.get(key, 1)}:"
        if key not in SETTINGS:
            layers.mistakes.append(f"{where} {unknown(key)}")
        elif key in _TABLES and isinstance(value, dict):
            _table(layers, name, key, value, lines)
        else:
            layers.take(key, value, where)


def _table(layers: _Layers, name: str, key: str, table: dict[str, Any], lines: dict[str, int]) -> None:
    """A table's entries one by one, so that each mistake has its own line."""
    for entry, value in table.items():
        before = layers.fields.get(key, {})
        where = f"{name} line {lines.get(f'{key}.{entry}', lines.get(key, 1))}:"
        layers.take(key, {entry: value}, where)
        layers.fields[key] = {**before, **layers.fields.get(key, {})}


def unknown(key: str) -> str:
    import difflib

    close = difflib.get_close_matches(key, SETTINGS, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(sorted(SETTINGS))}"
    return f"there is no setting {key!r}: {hint}"


_HEADER = re.compile(r"\s*\[+\s*([^\]]+?)\s*\]")
_ENTRY = re.compile(r"""\s*(?:"([^"]+)"|'([^']+)'|([A-Za-z0-9_.-]+))\s*=""")


def _lines(text: str) -> Iterator[tuple[str, int]]:
    """(key or table.key, its line): tomllib keeps no positions. A line within a multi-line string may look
    like a key and be taken for one: it only misplaces a message."""
    table = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            table = header[1].strip("\"' ")
            yield table, number
        elif entry := _ENTRY.match(line):
            key = entry[1] or entry[2] or entry[3]
            yield (f"{table}.{key}" if table else key), number
