"""Which cron entries are in force: what all live hosts announce, put together. Pure.

A host announces one list: the entries of its app's code, and those of its ganger.toml. Hosts of one app have
different lists while a new version is rolled out; then of the code that list counts which appeared last,
whole: an entry that the new version has dropped is gone with the first new host. Tables count wherever a live
host has one, since hosts may have different files for good, and come before the code of any host. Lists of
different apps add up. Of two entries of one name, that of the list which appeared last.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ganger.cron.entry import CronEntry, read

_WHOLE = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Catalog:
    entries: dict[str, CronEntry]
    """Those in force, by name."""
    paused: frozenset[str] = frozenset()
    """Names that somebody has paused: what an entry obeys that moves into another partition."""
    homes: dict[str, str] = field(default_factory=dict)
    """`queue index` of the partition that keeps an entry, as the leader last knew it."""


@dataclass(slots=True)
class _List:
    since_ms: int


def read_catalog(content: Mapping[str, bytes]) -> Catalog:
    """The whole hash: what hosts announce, p:<name> and q:<name>."""
    paused = frozenset(name[2:] for name in content if name.startswith("p:"))
    homes = {
        name[2:]: value.decode("utf-8", "replace") for name, value in content.items() if name.startswith("q:")
    }
    return Catalog(in_force(content), paused, homes)


def in_force(announced: Mapping[str, bytes]) -> dict[str, CronEntry]:
    """The entries by name. `announced` is the hash that announce_crons.lua writes: h:<host>, d:<digest>."""
    lists: dict[tuple[str, str], _List] = {}
    for name, value in announced.items():
        if not name.startswith("h:"):
            continue
        words = value.decode("utf-8", "replace").split(" ", 3)
        if len(words) != 4 or not _WHOLE.fullmatch(words[1]):
            continue
        _, since, digest, app = words
        # A list is as old as the first of the living to have it: an old host that restarts makes it no newer.
        one = lists.setdefault((app, digest), _List(int(since)))
        one.since_ms = min(one.since_ms, int(since))
    latest: dict[str, tuple[int, str]] = {}
    for (app, digest), one in lists.items():
        latest[app] = max(latest.get(app, (-1, "")), (one.since_ms, digest))
    code: dict[str, CronEntry] = {}
    tables: dict[str, CronEntry] = {}
    for (app, digest), one in sorted(lists.items(), key=lambda item: (item[1].since_ms, item[0])):
        for entry in read(announced.get(f"d:{digest}", b"")):
            if entry.table:
                tables[entry.name] = entry
            elif latest[app] == (one.since_ms, digest):
                code[entry.name] = entry
    return dict(sorted((code | tables).items()))
