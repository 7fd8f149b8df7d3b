"""Which cron entries are in force: what all live hosts announce, put together. Pure.

A host announces the whole list of its app (code and [[cron]] tables). Hosts of one app may have different
lists while a new version is rolled out; then the list counts that appeared last among those alive, whole, so
that an entry which the new version has dropped is gone with the first new host. Lists of different apps add
up; of two entries of one name, that of the list which appeared last.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ganger.cron.entry import CronEntry, read


@dataclass(slots=True)
class _List:
    app: str
    since_ms: int
    entries: list[CronEntry] = field(default_factory=list)


def in_force(announced: Mapping[str, bytes]) -> dict[str, CronEntry]:
    """The entries by name. `announced` is the hash that announce_crons.lua writes: h:<host>, d:<digest>."""
    lists: dict[tuple[str, str], _List] = {}
    for name, value in announced.items():
        if not name.startswith("h:"):
            continue
        words = value.decode("utf-8", "replace").split(" ", 3)
        if len(words) != 4 or not words[1].isdigit():
            continue
        _, since, digest, app = words
        # A list is as old as the first of the living to have it: an old host that restarts makes it no newer.
        one = lists.setdefault((app, digest), _List(app, int(since)))
        one.since_ms = min(one.since_ms, int(since))
    latest: dict[str, tuple[int, str]] = {}
    for (app, digest), one in lists.items():
        latest[app] = max(latest.get(app, (-1, "")), (one.since_ms, digest))
    found: dict[str, CronEntry] = {}
    for _, digest in sorted(latest.values()):
        for entry in read(announced.get(f"d:{digest}", b"")):
            found[entry.name] = entry
    return dict(sorted(found.items()))
