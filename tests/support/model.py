"""What a partition really holds, read off the whole keyspace: where each job is, and who owns each lock.

For the random walks, which hold it against their model. Reading checks what must hold at any moment: no job
in two places, no body without a place, no lock and no checkpoint without an owner.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ganger.job import Entry, Record, read_entry
from ganger.keys import Partition
from ganger.operations.lanes import UNSORTED
from support.keyspace import MAIL, snapshot
from support.servers import ClusterServers

_KEPT = (b"c:", b"p:", b"e:")


@dataclass(frozen=True)
class Place:
    """`what`: waiting, held, parked, unsorted, laned, later, dead or log; `host` and `entry` of what is held;
    `marked`: it was cancelled; `body` with its label."""

    what: str
    host: str = ""
    entry: Entry | None = None
    marked: bool = False
    body: bytes = b"{}"


@dataclass(frozen=True)
class Picture:
    places: dict[str, Place]
    locks: dict[str, str]
    """digest -> jid of its holder"""
    owed: dict[str, str]
    """member of a batch -> what the batch is to be told"""
    ends: dict[str, str]
    """jid -> how a tracked job ended"""


def picture(servers: ClusterServers) -> Picture:
    """Raises AssertionError for a job in two places, a body that belongs nowhere, a lock of nobody."""
    return picture_of(snapshot(servers), MAIL)


def picture_of(found: Mapping[bytes, Any], partition: Partition) -> Picture:
    """The same of any partition in a snapshot."""
    places: dict[str, Place] = {}

    def put(jid: str, place: Place) -> None:
        assert jid not in places, f"{jid} is {places[jid].what} and {place.what}"
        places[jid] = place

    for stream, key in enumerate(partition.streams):
        rows, leases = found[key]
        owners = {id: owner.decode() for id, owner in leases}
        for id, fields in rows:
            entry = read_entry(partition, stream, id, _flat(fields))
            assert isinstance(entry, Entry), entry
            held = id in owners
            assert held or key != partition.laned, "what was claimed from a lane is in nobody's hands"
            marked = b"x:" + id in found[partition.memo]
            body = entry.body
            put(
                entry.jid,
                Place("held", owners[id], entry, marked, body) if held else Place("waiting", body=body),
            )
        assert owners.keys() <= {id for id, _ in rows}, "a lease on nothing"
    places_in_lanes = {b""}
    for id, fields in found[partition.parked][0]:
        entry = read_entry(partition, 0, id, _flat(fields))
        assert isinstance(entry, Entry), entry
        place = fields.get(b"l", b"")
        if place:
            places_in_lanes.add(b"%s%014d-%020d" % (place, *map(int, id.split(b"-"))))
        unsorted = place.startswith(UNSORTED.encode())
        put(entry.jid, Place("unsorted" if unsorted else "laned" if place else "parked", body=entry.body))
    assert {member for member, _ in found[partition.lanes]} == places_in_lanes, "a lane that lies"
    for _, fields in found[partition.log][0]:
        put(fields[b"j"].decode(), Place("log", body=fields[b"b"]))
    for what, key in (("later", partition.later), ("dead", partition.dead)):
        for jid, _ in found[key]:
            if jid:
                record = Record.read(found[partition.jobs_bucket(jid)][jid])
                put(jid.decode(), Place(what, body=record.body))
    bodies = {jid.decode() for bucket in partition.jobs for jid in found[bucket]} - {""}
    assert bodies == {jid for jid, place in places.items() if place.what in ("later", "dead")}
    kept = {
        kind: {name[2:].decode() for name in found[partition.tracks] if name[:2] == kind} for kind in _KEPT
    }
    assert kept[b"c:"] <= places.keys(), "a checkpoint of a job that is gone"
    assert kept[b"p:"] <= places.keys() | kept[b"e:"], "progress of a job that is gone, and its end not noted"
    locks = {
        digest.decode(): value.partition(b"|")[0].decode()
        for digest, value in found[partition.locks].items()
        if digest
    }
    for digest, jid in locks.items():
        assert jid in places and places[jid].what not in ("dead", "log"), (
            f"lock {digest} belongs to {jid}, which is gone"
        )
    owed = {name[2:].decode(): value.decode() for name, value in found[partition.outbox].items() if name}
    ends = {
        name[2:].decode(): value.split(b"|", 3)[2].decode()
        for name, value in found[partition.tracks].items()
        if name[:2] == b"e:"
    }
    return Picture(places, locks, owed, ends)


def _flat(fields: dict[bytes, Any]) -> list[bytes]:
    return [word for pair in fields.items() for word in pair]
