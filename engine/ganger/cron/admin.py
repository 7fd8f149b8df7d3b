"""Cron for people: what `ganger cron` shows and does, and what a dashboard would.

Answers plain dicts and lists, ready for JSON. Instants are ms since 1970. The entries are those that live
hosts announce; one whose partition is out of reach is shown as `unreachable`, never waited for.
"""

from datetime import UTC
from typing import Any

from ganger.cluster import Cluster
from ganger.cron.entry import CronEntry
from ganger.errors import CronNotFound, CronStillRuns, GangerError
from ganger.keys import Control, Partition, partitions
from ganger.operations import control as catalog
from ganger.operations import cron, find, track
from ganger.sealing import key_id

DEADLINE_S = 5.0


def entries(cluster: Cluster, control: Control) -> list[dict[str, Any]]:
    """All of them by name: {name, type, cron, tz, queue, priority, args, kwargs, encrypted, missed,
    missed_window, overlap, next_at_ms, paused_at_ms, fired, skipped, missed_ticks, last, unreachable}; `last`
    is None or {tick_at_ms, at_ms, jid, state}, its state that of `ganger job show`; of one that is
    over how it ended if it was tracked, or else `ended`."""
    found = cron.entries(cluster, control, deadline_s=DEADLINE_S)
    counts = catalog.queues(cluster, control, deadline_s=DEADLINE_S)
    places = {
        name: _place(control, entry, counts[entry.queue])
        for name, entry in found.items()
        if entry.queue in counts
    }
    looks = [cron.look_command(place, [name]) for name, place in places.items()]
    replies = dict(zip(places, cluster.run_many(looks, deadline_s=DEADLINE_S), strict=True))
    return [
        _said(entry) | (_seen(cluster, places[name], entry, replies[name]) if name in places else {})
        for name, entry in found.items()
    ]


def history(cluster: Cluster, control: Control, name: str) -> list[dict[str, Any]]:
    """What happened to it, newest first, the last fifty: {tick_at_ms, at_ms, event, jid, count}. `event` is
    fired, run (by hand), skipped (`jid` is the run that went on), missed (`count` ticks), paused or resumed.
    Raises CronNotFound."""
    entry, place = _find(cluster, control, name)
    memory = cron.look(cluster, place, [entry.name], deadline_s=DEADLINE_S)[1][0]
    return [
        {
            "tick_at_ms": event.tick_ms,
            "at_ms": event.at_ms,
            "event": event.word,
            "jid": event.detail if event.word in ("fired", "run", "skipped") else None,
            "count": int(event.detail) if event.word == "missed" else None,
        }
        for event in (memory.events if memory else ())
    ]


def pause(cluster: Cluster, control: Control, name: str) -> bool:
    """From the reply on no tick fires; False: it was paused before. Raises CronNotFound."""
    return _pause(cluster, control, name, resume=False)


def resume(cluster: Cluster, control: Control, name: str) -> bool:
    """Its ticks count again, from now on; False: it was not paused. Raises CronNotFound."""
    return _pause(cluster, control, name, resume=True)


def run(cluster: Cluster, control: Control, name: str) -> str:
    """One job now, whatever the schedule says and paused or not; its jid. Raises CronNotFound, and
    CronStillRuns where runs must not overlap."""
    entry, place = _find(cluster, control, name)
    cron.begin(cluster, place, entry, deadline_s=DEADLINE_S)
    now_ms, _ = cron.look(cluster, place, [name], deadline_s=DEADLINE_S)
    fired = cron.fire(cluster, place, entry, None, now_ms, deadline_s=DEADLINE_S)
    if fired.word == "held":
        raise CronStillRuns(
            f"Cron entry {name}: its run {fired.jid} has not ended, and overlap is skip;"
            f" see `ganger job show {fired.jid}`."
        )
    if fired.word != "fired":
        raise CronNotFound(f"Cron entry {name} was removed this moment.")
    return fired.jid


def coming(entry: CronEntry, after_ms: int, count: int) -> list[dict[str, Any]]:
    """The next ticks: {at_ms, local, utc}, the latter two as ISO 8601. No I/O."""
    ticks = entry.schedule.between(after_ms, 253_402_300_799_000, count)
    return [{"at_ms": tick, **times(entry, tick)} for tick in ticks]


def times(entry: CronEntry, at_ms: int) -> dict[str, str]:
    """An instant as the entry's zone writes it, and as UTC does."""
    local = entry.schedule.local(at_ms)
    return {"local": local.isoformat(), "utc": local.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}


def named(cluster: Cluster, control: Control, name: str) -> CronEntry:
    """The entry of this name. Raises CronNotFound."""
    found = cron.entries(cluster, control, deadline_s=DEADLINE_S)
    if name not in found:
        raise CronNotFound(missing(name, list(found)))
    return found[name]


def missing(name: str, known: list[str]) -> str:
    """What to say of a name that is none."""
    there = ", ".join(known) or "none: a live host announces those of its app and its ganger.toml"
    return f"There is no cron entry {name!r}; there are: {there}."


def _find(cluster: Cluster, control: Control, name: str) -> tuple[CronEntry, Partition]:
    entry = named(cluster, control, name)
    count = catalog.register_queue(cluster, control, entry.queue, deadline_s=DEADLINE_S)
    return entry, _place(control, entry, count)


def _place(control: Control, entry: CronEntry, count: int) -> Partition:
    return entry.partition(partitions(control.namespace, entry.queue, count))


def _pause(cluster: Cluster, control: Control, name: str, *, resume: bool) -> bool:
    """Crash points: what holds a tick back is the mark in the partition. The wish is for a later move alone;
    it is kept before that mark is made and gone before it is taken away, so a repeat completes either."""
    entry, place = _find(cluster, control, name)
    now_ms, _ = cron.look(cluster, place, [name], deadline_s=DEADLINE_S)
    cron.wish(cluster, control, name, paused=not resume, at_ms=now_ms, deadline_s=DEADLINE_S)
    # So that there is something to mark before the leader has seen the entry for the first time.
    cron.begin(cluster, place, entry, deadline_s=DEADLINE_S)
    word = cron.pause(cluster, place, name, resume=resume, deadline_s=DEADLINE_S)
    return word in ("paused", "resumed")


def _said(entry: CronEntry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "type": entry.type,
        "cron": entry.cron,
        "tz": entry.tz,
        "queue": entry.queue,
        "priority": entry.priority,
        "args": None if entry.sealed else entry.args,
        "kwargs": None if entry.sealed else entry.kwargs,
        "encrypted": key_id(entry.sealed) if entry.sealed else None,
        "missed": entry.missed,
        "missed_window": entry.missed_window,
        "overlap": entry.overlap,
        "next_at_ms": None,
        "paused_at_ms": None,
        "fired": 0,
        "skipped": 0,
        "missed_ticks": 0,
        "last": None,
        "unreachable": False,
    }


def _seen(cluster: Cluster, place: Partition, entry: CronEntry, reply: object) -> dict[str, Any]:
    """What its partition knows of it."""
    try:
        now_ms, memories = cron.parse_look(reply, place)
        memory = memories[0] if memories else None
        if memory is None:
            return {}
        return {
            "next_at_ms": None if memory.paused_at_ms else entry.schedule.after(now_ms),
            "paused_at_ms": memory.paused_at_ms or None,
            "fired": memory.fired,
            "skipped": memory.skipped,
            "missed_ticks": memory.missed,
            "last": None if memory.last is None else _last(cluster, place, memory.last),
        }
    except GangerError:
        return {"unreachable": True}


def _last(cluster: Cluster, place: Partition, event: cron.Event) -> dict[str, Any]:
    job = find.find(cluster, place, event.detail, deadline_s=DEADLINE_S)
    if job is not None:
        state = job.state.value
    else:
        end = track.read(cluster, place, event.detail, deadline_s=DEADLINE_S).end
        state = end.how if end else "ended"
    return {"tick_at_ms": event.tick_ms, "at_ms": event.at_ms, "jid": event.detail, "state": state}
