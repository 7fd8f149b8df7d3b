"""Cron: each second, and to the moment of the next tick, the leader looks at every entry and takes its steps.

Which entries there are, the live hosts say (cron/catalog.py); what is due, cron/due.py decides, by the clock
of the node that keeps the entry: this process' own wall clock is never asked, so it may be wrong. fire.lua
checks tick and clock once more and does it once: two leaders do no harm.

Crash points: a leader that dies before a fire leaves the tick due, one that dies after it finds the tick
covered when it is back, and so does the next leader. What it had not yet logged or counted is in the entry's
history alone.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial

from ganger.cluster import Cluster
from ganger.cron import due
from ganger.cron.catalog import Catalog
from ganger.cron.entry import CronEntry
from ganger.errors import GangerError
from ganger.keys import Control, Partition
from ganger.operations import cron
from gangerd import log, metrics
from gangerd.config import Config
from gangerd.metrics import Statsd
from gangerd.roles.loop import MS
from gangerd.roles.queues import Queues

DEADLINE_S = 0.8
REFRESH_NS = 5_000 * MS
BUDGET_NS = 500 * MS
"""Longer than this no round keeps the leader from its other duties; the rest comes right after them."""
HORIZON_MS = 1_500
"""A tick further away than this is found by a later round."""
_logger = log.get()


class CronDuty:
    def __init__(self, cluster: Cluster, keys: Control, queues: Queues, config: Config) -> None:
        self._cluster = cluster
        self._keys = keys
        self._queues = queues
        self._partitions = config.partitions
        self._statsd = Statsd.from_address(config.statsd)
        self._catalog = Catalog({})
        self._unread: set[str] = set()
        self._read_ns: int | None = None
        self._next: dict[str, tuple[str, int, int]] = {}

    def round(self) -> float | None:
        """Take what steps are due; in how many ms the next tick is, if that is soon."""
        self._refresh()
        places: dict[Partition, list[CronEntry]] = {}
        for entry in self._catalog.entries.values():
            places.setdefault(entry.partition(self._queues.of(entry.queue)), []).append(entry)
        commands = [
            cron.look_command(place, [entry.name for entry in entries]) for place, entries in places.items()
        ]
        replies = self._cluster.run_many(commands, deadline_s=DEADLINE_S)
        heard_ns = time.monotonic_ns()
        waits: list[int] = []
        for (place, entries), reply in zip(places.items(), replies, strict=True):
            try:
                node_ms, memories = cron.parse_look(reply, place)
                for entry, memory in zip(entries, memories or [None] * len(entries), strict=True):
                    waits.append(self._take(entry, place, memory, node_ms))
                    if time.monotonic_ns() - heard_ns > BUDGET_NS:
                        return 0.0
            except GangerError:
                continue  # next second
        self._statsd.flush()
        # The node counts whole milliseconds: ask in the one after.
        soonest_ms = min(waits, default=HORIZON_MS) + 1 - (time.monotonic_ns() - heard_ns) / MS
        return max(0.0, soonest_ms) if soonest_ms < HORIZON_MS else None

    def sweeping(self, cluster: Cluster, partitions: Iterable[Partition]) -> Iterator[Callable[[], object]]:
        """The steps that forget what no host has had for a month."""
        for place in partitions:
            yield partial(self._sweep, place)
        for name in self._catalog.homes.keys() - self._catalog.entries.keys():
            yield partial(self._forget_home, name)

    def forget(self) -> None:
        """We are not the leader any more."""
        self._catalog, self._read_ns = Catalog({}), None
        self._next.clear()

    def close(self) -> None:
        self._statsd.close()

    def _refresh(self) -> None:
        """The entries in force, and their queues in the catalog. What can't be read now stays as it was."""
        now_ns = time.monotonic_ns()
        if self._read_ns is not None and now_ns - self._read_ns < REFRESH_NS:
            return
        try:
            found = cron.catalog(self._cluster, self._keys, deadline_s=DEADLINE_S)
            self._drop_unreadable(found)
            queues = {entry.queue for entry in found.entries.values()}
            self._queues.register(queues, self._partitions)
        except GangerError:
            return
        self._catalog, self._read_ns = found, now_ns

    def _drop_unreadable(self, found: Catalog) -> None:
        """Schedules that another host could read and this one can't: its time zones are older."""
        for name, entry in list(found.entries.items()):
            try:
                entry.schedule.after(0)
            except GangerError as error:
                del found.entries[name]
                if name not in self._unread:
                    _logger.error(log.CRON_REFUSED, entry=name, error=str(error))
                self._unread.add(name)

    def _sweep(self, place: Partition) -> None:
        if self._read_ns is None:
            return
        group = self._queues.of(place.queue)
        entries = [entry for entry in self._catalog.entries.values() if entry.queue == place.queue]
        names = [entry.name for entry in entries if entry.partition(group) == place]
        cron.sweep(self._cluster, place, names, deadline_s=DEADLINE_S)

    def _forget_home(self, name: str) -> None:
        """Of an entry that its partition has forgotten."""
        queue, _, index = self._catalog.homes[name].partition(" ")
        place = self._queues.find((queue, int(index))) if index.isascii() and index.isdigit() else None
        if place and cron.look(self._cluster, place, [name], deadline_s=DEADLINE_S)[1] == [None]:
            cron.forget(self._cluster, self._keys, name, deadline_s=DEADLINE_S)

    def _take(self, entry: CronEntry, place: Partition, memory: cron.Memory | None, node_ms: int) -> int:
        """Take its steps; in how many ms its next tick is."""
        moved = self._catalog.homes.get(entry.name) != _home(place)
        if moved or memory is None or memory.timing != entry.timing:
            self._begin(entry, place, moved)
            return entry.schedule.after(node_ms) - node_ms
        if memory.paused_at_ms:
            return HORIZON_MS
        next_ms = self._next_ms(entry, memory.covered_ms)
        if next_ms > node_ms:
            return next_ms - node_ms
        steps = due.steps(entry.schedule, entry.missed, entry.window_ms, memory.covered_ms, node_ms)
        for step in steps:
            fired = cron.fire(self._cluster, place, entry, step, node_ms, deadline_s=DEADLINE_S)
            if fired.word not in ("fired", "skipped", "passed"):
                break  # another has seen to it, or it must wait: the next look tells
            self._tell(entry, step, fired)
        return entry.schedule.after(node_ms) - node_ms

    def _begin(self, entry: CronEntry, place: Partition, moved: bool) -> None:
        paused = entry.name in self._catalog.paused
        if cron.begin(self._cluster, place, entry, moved=moved, paused=paused, deadline_s=DEADLINE_S):
            _logger.info(log.CRON_BEGUN, entry=entry.name, cron=entry.cron, tz=entry.tz, queue=entry.queue)
        if moved:
            cron.settle_in(self._cluster, self._keys, entry.name, _home(place), deadline_s=DEADLINE_S)
            self._catalog.homes[entry.name] = _home(place)

    def _next_ms(self, entry: CronEntry, covered_ms: int) -> int:
        """Its first tick that is not dealt with: worked out once, not each second."""
        known = self._next.get(entry.name)
        if known is None or known[:2] != (entry.timing, covered_ms):
            known = (entry.timing, covered_ms, entry.schedule.after(covered_ms))
            self._next[entry.name] = known
        return known[2]

    def _tell(self, entry: CronEntry, step: due.Step, fired: cron.Fired) -> None:
        about: Mapping[str, object] = {"entry": entry.name, "type": entry.type, "queue": entry.queue}
        if step.missed:
            _logger.warning(log.CRON_MISSED, **about, missed=step.missed, policy=entry.missed)
            self._statsd.count(metrics.CRON_MISSED, step.missed)
        if fired.word == "fired":
            _logger.info(log.CRON_FIRED, **about, jid=fired.jid, tick_at_ms=step.tick_ms)
            self._statsd.count(metrics.CRON_FIRED)
        elif fired.word == "skipped":
            _logger.info(log.CRON_SKIPPED, **about, running=fired.jid, tick_at_ms=step.tick_ms)
            self._statsd.count(metrics.CRON_SKIPPED)


def _home(place: Partition) -> str:
    """A partition as the catalog writes it."""
    return f"{place.queue} {place.index}"
