"""What is left on the servers when a chaos run is over: what ended how, and what belongs to nobody any more.

Called by run.py while the servers still live; judging.py reads what it found.
"""

import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import fields
from typing import Any

from chaos.kept import Last
from chaos.kinds import CONCURRENCY, NAMESPACE, NARROW, PARTITIONS, QUEUES
from chaos.world import World
from ganger import inspect
from ganger.command import Command
from ganger.keys import Control, Partition, partitions
from ganger.limiting import semaphore_name
from ganger.operations import batch, recover
from ganger.operations import look as looking
from ganger.throttle.semaphore import Semaphore
from ganger.throttle.servers import Servers
from support.server import wait_until

REST_S = 20.0
"""After the last job: so long outboxes, permits and batches may take to come to rest."""
SOON_S = 5.0
_MASTER = re.compile("[0-9a-f]{16}")
_OF_BATCH = re.compile(rf"{NAMESPACE}:\{{(b-[0-9a-z]{{21}})\}}:(?:head|ended|ok|outbox)".encode())


def look(world: World, marks: Any) -> Last:
    """All that the servers hold, once it has come to rest."""
    last = Last(replayed=marks.replayed, leaks=list(marks.trouble))
    try:
        wait_until(lambda: not _leaks(world), within_s=REST_S, what="rest")
    except AssertionError:
        last.leaks += _leaks(world)
    rows = inspect.queues(world.cluster, world.keys)
    last.counters = {name: row["counters"] for name, row in rows.items()}
    held = ("ready", "parked", "later", "in_flight")
    last.left = {name: sum(row[what] for what in held) for name, row in rows.items()}
    last.dead = {
        letter["jid"]: {
            "crashes": letter["crashes"],
            "causes": [failure["cause"] for failure in letter["failures"]],
        }
        for letter in inspect.dead(world.cluster, world.keys, limit=1_000_000, heads=True)
    }
    # A batch is off the list of those to look at within seconds.
    with suppress(AssertionError):
        wait_until(lambda: not _live(world), within_s=SOON_S, what="the end of the batches")
    last.live_batches = _live(world)
    return last


def _live(world: World) -> list[str]:
    return batch.live_page(world.cluster, world.keys, 0, 1_000_000, deadline_s=10.0)


def _leaks(world: World) -> list[str]:
    """Leases, locks, outboxes, bodies and permits that belong to nobody any more."""
    found: list[str] = []
    run = world.cluster.run
    for group in inspect.all_partitions(world.cluster, world.keys).values():
        for place in group:
            name = f"partition {place.queue}/{place.index}"
            for stream in place.streams:
                pending = run(Command(place.slot, ("XPENDING", stream, "workers")))
                if pending[0]:
                    found.append(f"{name}: {pending[0]} leases in {stream!r}")
            # An open partition has an empty field in each of its hashes.
            for what, key in (("locks", place.locks), ("outbox", place.outbox)):
                if (count := run(Command(place.slot, ("HLEN", key)))) > 1:
                    found.append(f"{name}: {count - 1} in {what}")
            bodies = sum(run(Command(place.slot, ("HLEN", bucket))) - 1 for bucket in place.jobs)
            seen = looking.parse_look(run(looking.look_command(place)), place)
            if bodies != seen.dead + seen.later:
                found.append(f"{name}: {bodies} bodies for {seen.dead} dead and {seen.later} scheduled jobs")
    seats = Semaphore(Servers(world.semaphores.urls), "ganger", semaphore_name(NARROW), CONCURRENCY).inspect()
    found += [f"permit held by {seat.holder} for {seat.held_ms} ms" for seat in seats]
    return found


def consumers(world: World) -> list[str]:
    """Every host has left, so nobody's is in use. Of each life of a master one may stay for an hour in each
    stream; one that can't be removed even then has something in its hands."""
    found: list[str] = []
    names = set[str]()
    for place, stream, rows in _consumers(world):
        names |= rows
        idle = [row for row in rows if not _MASTER.fullmatch(row)]
        if idle:
            found.append(f"partition {place.queue}/{place.index}: strange consumers {idle} in {stream!r}")
    lives = sum(len(host.logs()) for host in world.hosts)
    if len(names) > lives:
        found.append(f"{len(names)} consumers, of {lives} masters that there have been")
    for group in inspect.all_partitions(world.cluster, world.keys).values():
        for place in group:
            recover.drop_consumers(world.cluster, place, 0)
    for place, stream, rows in _consumers(world):
        if rows:
            found.append(f"partition {place.queue}/{place.index}: {len(rows)} consumers in {stream!r}")
    return found


def _consumers(world: World) -> Iterable[tuple[Any, bytes, set[str]]]:
    """(partition, stream, names) of each stream."""
    for group in inspect.all_partitions(world.cluster, world.keys).values():
        for place in group:
            for stream in place.streams:
                words = ("XINFO", "CONSUMERS", stream, "workers")
                rows = world.cluster.run(Command(place.slot, words))
                yield place, stream, {row[row.index(b"name") + 1].decode() for row in rows}


def strays(world: World) -> list[str]:
    """Keys that belong to nothing: there are those of the partitions and the control keys, and what ends by
    itself."""
    fixed, live = fixed_keys(), set(_live(world))
    found = []
    for ident in world.jobs.primaries():
        node = world.jobs.nodes[ident]
        for key in node.client.scan_iter(count=10_000):
            if key not in fixed and is_stray(key, live) and node.call("PTTL", key) == -1:
                found.append(f"key {key!r} belongs to nothing, and never ends")
    return found


def fixed_keys() -> frozenset[bytes]:
    """Those of the queues' partitions, and of the control slot."""
    places = [place for queue in QUEUES for place in partitions(NAMESPACE, queue, PARTITIONS)]
    found = set[bytes]()
    owners: list[Control | Partition] = [Control(NAMESPACE), *places]
    for owner in owners:
        for field in fields(owner):
            value = getattr(owner, field.name)
            keys = value if isinstance(value, tuple) else (value,)
            found |= {key for key in keys if isinstance(key, bytes)}
    return frozenset(found)


def is_stray(key: bytes, live: set[str]) -> bool:
    """Whether a key that is not one of the fixed ones may stay only if it ends by itself: any but that of a
    batch which the scheduler still looks at."""
    match = _OF_BATCH.fullmatch(key)
    return match is None or match[1].decode() not in live
