"""The cron entries of one host: those of its app's code and those of its ganger.toml, in one list.

A [[cron]] table takes the place of the code's entry of the same name: what is set for this installation wins
over what was written for all. Called while the app is loaded, by the template and by `ganger check`.
"""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, repeat
from typing import Any

import msgspec

from ganger.actor import registered
from ganger.cron.entry import FIELDS, CronEntry, check
from ganger.errors import GangerError
from ganger.sealing import seals


def collect(
    tables: Iterable[Mapping[str, Any]], places: Sequence[str] = ()
) -> tuple[list[dict[str, Any]], list[str]]:
    """(entries as JSON-able values, by name; everything that is wrong with them). `places`: where each table
    is written, as far as that is known."""
    actors = registered()
    mistakes: list[str] = []
    entries: dict[str, CronEntry] = {}
    for actor in actors.values():
        for entry in actor.crons:
            if entry.name in entries:
                mistakes.append(f"cron entry {entry.name}: two of that name; give one of them another.")
            entries[entry.name] = entry
    seen: set[str] = set()
    for number, (table, place) in enumerate(zip(tables, chain(places, repeat("")), strict=False), start=1):
        made, wrong = _read(table, actors)
        name = str(table.get("name") or table.get("type") or f"number {number}")
        if made is not None and made.name in seen:
            wrong = ["two tables of that name; give one of them another."]
        mistakes += [f"{place} [[cron]] {name}: {mistake}".lstrip() for mistake in wrong]
        if made is not None:
            seen.add(made.name)
            entries[made.name] = made
    found: list[dict[str, Any]] = []
    for name in sorted(entries):
        entry = entries[name]
        try:
            # Not sooner: what says where the keys are may be the last line of the app.
            sealing = seals(actors[entry.type].defaults) and (entry.args or entry.kwargs)
            found.append(msgspec.to_builtins(entry.seal() if sealing else entry))
        except GangerError as error:
            mistakes.append(f"cron entry {name}: {error}")
    return found, mistakes


def _read(table: Mapping[str, Any], actors: Mapping[str, Any]) -> tuple[CronEntry | None, list[str]]:
    unknown = [name for name in table if name not in FIELDS]
    wrong = [f"there is no {name!r}; there are {', '.join(FIELDS)}." for name in unknown]
    type = table.get("type")
    if type is None:
        return None, [*wrong, "type is missing: which job comes by this clock."]
    actor = actors.get(type) if isinstance(type, str) else None
    if actor is None:
        close = difflib.get_close_matches(str(type), actors, n=1)
        hint = f"did you mean {close[0]}?" if close else f"it has {', '.join(sorted(actors)) or 'none'}."
        return None, [*wrong, f"the app has no job type {type!r}: {hint}"]
    entry, mistakes = check(table, actor.defaults, actor.signature)
    if wrong or entry is None:
        return None, wrong + mistakes
    return msgspec.structs.replace(entry, table=True), []
