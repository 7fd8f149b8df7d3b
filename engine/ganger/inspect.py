"""Inspecting: the documents behind `ganger status`, `queues`, `workers`, `crashes`, `job show`, `dead list`.

Read-only. Each function answers plain dicts and lists, ready for JSON, with the field names that are public
surface. It looks at every partition of a queue in one trip; a partition out of reach is counted in
`unreachable`, never waited for twice.
"""

import dataclasses
from collections.abc import Iterator
from itertools import islice
from typing import Any

import msgspec

from ganger import jid as jids
from ganger import listing
from ganger.cluster import Cluster
from ganger.errors import BadName, GangerError, JobNotFound
from ganger.job import Record, decode_body
from ganger.keys import Control, Partition, partitions
from ganger.label import split
from ganger.lifecycle import COUNTERS, JobState
from ganger.listing import JobFilter, Missed
from ganger.operations import control as catalog
from ganger.operations import find, look, pause, track
from ganger.operations.kept import Shelf
from ganger.operations.look import LOOK_S
from ganger.sealing import key_id
from ganger.unserved import live_hosts

CRASHES_PAGE = 200
CLOCKS_APART_MS = 3_600_000
"""How much later than a job's crash the clock of its producer may be."""


def all_partitions(cluster: Cluster, control: Control) -> dict[str, tuple[Partition, ...]]:
    """Every queue that was ever pushed to, with its partitions."""
    known = catalog.queues(cluster, control, deadline_s=LOOK_S)
    return {queue: partitions(control.namespace, queue, count) for queue, count in known.items()}


def chosen(cluster: Cluster, control: Control, queue: str | None) -> list[Partition]:
    """The partitions of one queue, or of all. Raises BadName for a queue that does not exist."""
    found = all_partitions(cluster, control)
    if queue is not None and queue not in found:
        raise BadName(f"There is no queue {queue!r}; there are: {', '.join(found) or 'none'}.")
    return [part for name in found if queue in (None, name) for part in found[name]]


def status(cluster: Cluster, control: Control) -> dict[str, Any]:
    """{queues, workers, totals, paused_types}."""
    wishes = pause.wishes(cluster, control, deadline_s=LOOK_S)
    rows, counters = _queues(cluster, all_partitions(cluster, control), wishes)
    totals: dict[str, Any] = {name: counters.get(name, 0) for name in COUNTERS}
    totals["crashes"] = catalog.crash_totals(cluster, control, deadline_s=LOOK_S)
    document = {"queues": rows, "workers": workers(cluster, control), "totals": totals}
    return document | {"paused_types": _types(wishes)}


def totals(cluster: Cluster, control: Control) -> dict[str, Any]:
    """Counters over all queues since ever, and deaths by cause."""
    found: dict[str, Any] = status(cluster, control)["totals"]
    return found


def queues(cluster: Cluster, control: Control) -> dict[str, dict[str, Any]]:
    """{queue: {ready, later, dead, parked, in_flight, oldest_age_ms, next_due_in_ms, paused,
    paused_since_ms, paused_note, paused_partitions, partitions, unreachable, counters}}."""
    wishes = pause.wishes(cluster, control, deadline_s=LOOK_S)
    return _queues(cluster, all_partitions(cluster, control), wishes)[0]


def paused_types(cluster: Cluster, control: Control) -> dict[str, dict[str, Any]]:
    """{type: {since_ms, note}} of the job types that are paused."""
    return _types(pause.wishes(cluster, control, deadline_s=LOOK_S))


def _types(wishes: pause.Wishes) -> dict[str, dict[str, Any]]:
    found = sorted(wishes.types.items())
    return {name: {"since_ms": wish.since_ms, "note": wish.note} for name, wish in found}


def _queues(
    cluster: Cluster, found: dict[str, tuple[Partition, ...]], wishes: pause.Wishes
) -> tuple[dict[str, dict[str, Any]], dict[str, int]]:
    places = [place for group in found.values() for place in group]
    replies = cluster.run_many([look.look_command(place) for place in places], deadline_s=LOOK_S)
    looks = dict(zip(places, replies, strict=True))
    rows: dict[str, dict[str, Any]] = {}
    sums: dict[str, int] = {}
    for queue, group in found.items():
        row = {"ready": 0, "later": 0, "dead": 0, "parked": 0, "in_flight": 0, "oldest_age_ms": 0}
        counters: dict[str, int] = {}
        due: list[int] = []
        unreachable = paused = 0
        for place in group:
            try:
                seen = look.parse_look(looks[place], place)
            except GangerError:
                unreachable += 1
                continue
            paused += seen.settings.get("paused") == "1"
            for name in ("ready", "later", "dead", "parked", "in_flight"):
                row[name] += getattr(seen, name)
            row["oldest_age_ms"] = max(row["oldest_age_ms"], seen.oldest_age_ms)
            due += [] if seen.next_due_in_ms is None else [seen.next_due_in_ms]
            for name, value in seen.counters.items():
                counters[name] = counters.get(name, 0) + value
                sums[name] = sums.get(name, 0) + value
        wish = wishes.queues.get(queue)
        about = {
            "next_due_in_ms": min(due, default=None),
            "paused": wish is not None,
            "paused_since_ms": wish.since_ms if wish else None,
            "paused_note": wish.note if wish else None,
            "paused_partitions": paused,
            "partitions": len(group),
            "unreachable": unreachable,
        }
        rows[queue] = {**row, **about, "counters": counters}
    return rows, sums


def workers(cluster: Cluster, control: Control) -> list[dict[str, Any]]:
    """[{host, pid, slot, generation, state, jid, type, since_ms, rss_bytes}], from the hosts' heartbeats."""
    return [
        {"host": host.status.get("host", ""), **worker}
        for host in live_hosts(cluster, control)
        for worker in host.status.get("workers", [])
    ]


def crashes(cluster: Cluster, control: Control, limit: int = 100) -> list[dict[str, Any]]:
    """Post-mortems, newest first."""
    return catalog.crashes(cluster, control, limit, deadline_s=LOOK_S)


def crashes_of(cluster: Cluster, control: Control, jid: str) -> list[dict[str, Any]]:
    """The post-mortems of one job, newest first: as far back as the job is old, some pages at a time."""
    made_at_ms = jids.made_at_ms(jid) - CLOCKS_APART_MS
    found: list[dict[str, Any]] = []
    for skip in range(0, catalog.MAX_CRASHES, CRASHES_PAGE):
        page = catalog.crashes(cluster, control, CRASHES_PAGE, skip=skip, deadline_s=LOOK_S)
        found += [record for record in page if record.get("jid") == jid]
        if not page or page[-1].get("at_ms", 0) < made_at_ms:
            break
    return found


def places(cluster: Cluster, control: Control, jid: str) -> list[Partition]:
    """Where the job of a jid may be: one partition, but for queues whose names share their fifteen bits.
    Raises BadOptions."""
    jids.check(jid)
    index, named = jids.partition_of(jid), jids.queue_digest_of(jid)
    return [
        group[index]
        for queue, group in all_partitions(cluster, control).items()
        if jids.digest(queue) == named and index < len(group)
    ]


def locate(cluster: Cluster, control: Control, jid: str) -> find.Found:
    """The job of a jid, wherever it is. Raises JobNotFound (done, gone, or never pushed), BadOptions."""
    for place in places(cluster, control, jid):
        found = find.find(cluster, place, jid, deadline_s=LOOK_S)
        if found is not None:
            return found
    raise JobNotFound(f"Job {jid} is in no queue: it is done, it was removed, or it was never pushed.")


def job(cluster: Cluster, control: Control, jid: str) -> dict[str, Any]:
    """{jid, type, queue, state, attempt, crashes, args, kwargs, failures, progress, checkpoint_bytes..}. Of a
    tracked job that is done the arguments are not kept. Raises JobNotFound, BadOptions."""
    candidates = places(cluster, control, jid)
    for place in candidates:
        found = find.find(cluster, place, jid, deadline_s=LOOK_S)
        if found is not None:
            document = _document(place, jid, found.record, dead=found.state == JobState.DEAD)
            document["state"] = found.state.value
            document |= {"due_at_ms": found.due_at_ms, "dead_at_ms": found.dead_at_ms}
            document |= {"consumer": found.consumer, "ended_at_ms": found.ended_at_ms, "how": found.how}
            return document | _told(cluster, place, jid, done=found.state == JobState.DONE)
    for place in candidates:
        known = track.read(cluster, place, jid)
        if known.end is not None:
            return _done(place, jid, known.end) | _told(cluster, place, jid, done=True)
    raise JobNotFound(f"Job {jid} is in no queue: it is done, it was removed, or it was never pushed.")


def _done(partition: Partition, jid: str, end: track.End) -> dict[str, Any]:
    """A tracked job that is over; what was not kept of it is None."""
    document = _document(partition, jid, Record(end.type, 0, end.state, b"{}"), dead=end.how != "succeeded")
    document |= dict.fromkeys(("priority", "args", "kwargs"))
    document["pushed_at_ms"] = jids.made_at_ms(jid)
    return document | {"tracked": True, "state": "done", "how": end.how, "ended_at_ms": end.at_ms}


def _told(cluster: Cluster, partition: Partition, jid: str, *, done: bool) -> dict[str, Any]:
    """What the job itself has told, and what came of it: `result`, or `no_result` for a reason."""
    known = track.read(cluster, partition, jid)
    told: dict[str, Any] = {
        "progress": None if known.progress is None else dataclasses.asdict(known.progress),
        "checkpoint_bytes": None if known.checkpoint is None else len(known.checkpoint),
    }
    end = known.end if done else None
    if end is None:
        return told
    told |= {"ran_ms": end.ran_ms, "peak_rss_bytes": end.peak_rss_bytes}
    told |= {"result": None, "no_result": end.why if end.how == "succeeded" else None}
    if end.kept is not None:
        data = track.get_result(cluster, partition, jid, end.kept)
        told |= {"no_result": "it has expired"} if data is None else {"result": msgspec.json.decode(data)}
    return told


def dead(
    cluster: Cluster,
    control: Control,
    wanted: JobFilter = listing.ANY,
    limit: int = 100,
    *,
    heads: bool = False,
    missed: Missed | None = None,
) -> Iterator[dict[str, Any]]:
    """The newest dead letters that fit, a few in memory at a time; with `heads` without their arguments.
    `missed` is as in listing.py. Raises BadName for a queue that does not exist."""
    places = chosen(cluster, control, wanted.queue)
    found = islice(listing.merged(cluster, places, Shelf.DEAD, wanted, missed), limit)
    for letter in found if heads else listing.whole(cluster, found, missed):
        about = {"state": JobState.DEAD.value, "dead_at_ms": letter.at_ms}
        yield _document(letter.partition, letter.jid, letter.record, dead=True, head=heads) | about


def later(
    cluster: Cluster,
    control: Control,
    wanted: JobFilter = listing.ANY,
    limit: int = 100,
    *,
    heads: bool = False,
    missed: Missed | None = None,
) -> Iterator[dict[str, Any]]:
    """The same for scheduled and retrying jobs, those that are due first first."""
    places = chosen(cluster, control, wanted.queue)
    found = islice(listing.merged(cluster, places, Shelf.LATER, wanted, missed), limit)
    for job in found if heads else listing.whole(cluster, found, missed):
        state = JobState.RETRYING if job.record.state.failures else JobState.SCHEDULED
        about = {"state": state.value, "due_at_ms": job.at_ms}
        yield _document(job.partition, job.jid, job.record, dead=False, head=heads) | about


def _document(
    partition: Partition, jid: str, record: Record, *, dead: bool, head: bool = False
) -> dict[str, Any]:
    """`attempt` is the one under way or next, of a dead letter its last one. Of a `head` there is no body."""
    state = record.state
    document: dict[str, Any] = {
        "jid": jid,
        "type": record.type,
        "queue": partition.queue,
        "partition": partition.index,
        "priority": record.priority,
        "attempt": state.failures[-1].attempt if dead and state.failures else state.attempt,
        "crashes": state.crashes,
        "lost": state.lost,
        "released": state.released,
        "failures": [msgspec.structs.asdict(failure) for failure in state.failures],
    }
    if head:
        return document
    try:
        body = decode_body(record.body)
        document |= {"args": body.args, "kwargs": body.kwargs, "pushed_at_ms": body.pushed_at_ms}
        if body.sealed:
            document |= {"args": None, "kwargs": None, "encrypted": key_id(body.sealed)}
        label = split(record.body)[0]
        document |= {"expires_at_ms": label.expires_at_ms, "overrides": body.overrides}
        document |= {"headers": body.headers, "run": label.run_name, "tracked": label.track_ms is not None}
        document["batch"] = label.member
    except msgspec.DecodeError:
        document |= {"args": None, "kwargs": None, "garbled": record.body[:200].decode("utf-8", "replace")}
    return document
