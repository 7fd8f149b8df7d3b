"""The limits on this host's queues: which there are, the thread that gets permits for them, what is told of
it.

Which limits there are: what `ganger limits set` has put into the control slot, then the configuration's. The
service calls from its loop; warden.py, which does the work, runs on a thread here, since a server for
semaphores may take its time. What passes between the two: whole dictionaries, replaced; the table in shared
memory.
"""

import random
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ganger.clock import boottime_s
from ganger.cluster import Cluster
from ganger.keys import Control
from ganger.operations import limits as operations
from ganger.operations.lanes import Lane
from ganger.throttle.servers import Servers
from gangerd import log
from gangerd.board import Limiting, Line
from gangerd.config import Limit
from gangerd.messages import EndRun
from gangerd.page import Page, PageGarbled
from gangerd.passes import Passes
from gangerd.roles.coordinator import limit_rows
from gangerd.roles.coordinator.board_keeper import BoardKeeper
from gangerd.roles.coordinator.grants import Grants
from gangerd.roles.coordinator.lane_look import LaneLook
from gangerd.roles.coordinator.lane_rules import marks, paths
from gangerd.roles.coordinator.limited_queue import LimitedQueue
from gangerd.roles.coordinator.marking import Marking
from gangerd.roles.coordinator.warden import Warden
from gangerd.roles.role import Role

READ_S = 0.5
CLOSE_S = 1.5
TROUBLE_MS = 500.0
_logger = log.get()


class Limits:
    """`keeper` has the board, on which it says which queues are limited."""

    def __init__(self, role: Role, cluster: Cluster, keys: Control, keeper: BoardKeeper) -> None:
        self._role = role
        self._cluster = cluster
        self._keys = keys
        self._keeper = keeper
        self._marking = Marking(cluster)
        self._look = LaneLook(cluster, role.loop, keeper.place, self._found)
        self._lines: Sequence[Line] = ()
        self._set: dict[str, operations.SetLimit] = {}
        self._limits: dict[str, Limit] = dict(role.config.limits)
        self._passes = Passes(role.board_memory, role.recorder_fd)
        self._warden: Warden | None = None
        self._thread: threading.Thread | None = None
        self._news = threading.Event()
        self._said_unserved = False
        self._ending: dict[tuple[int, int, str], int] = {}
        """(worker, slot, queue) -> the run that is to be ended."""

    def of(self, queues: Iterable[str]) -> dict[str, Limiting]:
        """What the board has to say of those that are limited."""
        return {queue: said for queue in queues if (said := limiting(queue, self._limits)) is not None}

    @property
    def lost(self) -> int:
        """Permits that ran out under running jobs so far."""
        return 0 if self._warden is None else self._warden.figures.lost

    def read(self) -> None:
        """What was set at runtime. Raises GangerError."""
        found = operations.read(self._cluster, self._keys, deadline_s=READ_S)
        if found == self._set:
            return
        self._set = found
        self._limits = merged(self._role.config.limits, found)
        _logger.info(log.LIMITS_CHANGED, limits=sorted(self._limits))
        if self._lines:
            self._keeper.limit(self.of(line.queue for line in self._lines))
            self._lines = self._keeper.lines
            self._spread()

    def begin(self, lines: Sequence[Line], *, first: bool) -> None:
        """The board has these lines. `first`: at the host's start; only then BadThrottleServer is raised when
        the servers can't be used as such. Later a host with other queues must not stop for that."""
        self._lines = lines
        self._spread(check=first)

    def died(self, worker: str) -> None:
        """What this worker held is free now."""
        if self._warden is not None:
            self._warden.died(int(worker, 16))
            self._news.set()

    def lanes_wait(self, index: int, ids: Sequence[str] = ()) -> None:
        """Jobs wait in lanes of this partition, an index of the board; in these, if it names any."""
        if self._warden is not None and self._warden.serves_lanes(index):
            self._look.at(index, ids)

    def look(self) -> None:
        """Work was seen somewhere; perhaps in a limited queue."""
        if self._warden is not None and self._warden.wanted():
            self._news.set()

    def beat(self) -> None:
        """Confirm what partitions know of lanes, and end what has lost its permit."""
        self._marking.beat(_now_ns())
        self._end_lost()

    def close(self) -> None:
        """Offer nothing more, and give back what no living worker holds."""
        if self._warden is not None and self._thread is not None:
            self._warden.closing = True
            self._news.set()
            self._thread.join(CLOSE_S)

    def rows(self) -> list[dict[str, Any]]:
        """For the heartbeat: each limit with what this host has of it."""
        queues = {} if self._warden is None else self._warden.queues
        served = {line.queue for line in self._lines}
        return limit_rows.rows(self._limits, set(self._set), served, queues, self._passes)

    # ---- inside ----------------------------------------------------------------------------------------

    def _spread(self, *, check: bool = False) -> None:
        """Tell the warden; the first time there is a limit, make it."""
        queues = limited_queues(self._lines, self._limits)
        self._mark(queues)
        if queues and self._warden is None:
            urls = self._role.config.semaphore_urls()
            if not urls:
                if not self._said_unserved:
                    _logger.error(log.LIMITS_STAND, reason="no servers for semaphores are configured")
                self._said_unserved = True
                return
            servers = Servers(urls, known=True)
            if check:
                servers.check()
            self._warden = self._made(servers)
            self._warden.limit(queues)
            self._thread = threading.Thread(target=self._run, args=(self._warden,), daemon=True)
            self._thread.start()
        elif self._warden is not None:
            self._warden.limit(queues)
            self._news.set()

    def _made(self, servers: Servers) -> Warden:
        role = self._role
        grants = Grants(servers, role.config.namespace, role.config.host)
        grants.on_turn = self._news.set
        return Warden(
            role.board, self._passes, role.pages, role.doorbell_fd, grants, self._lost, random.Random()
        )

    def _mark(self, queues: Mapping[int, LimitedQueue]) -> None:
        places = self._keeper.partitions
        wanted = {
            line: (marks(queue.lane_rules), tuple(places[queue.first : queue.first + queue.count]))
            for line, queue in queues.items()
            if queue.lane_rules
        }
        self._marking.want(wanted, _now_ns())

    def _found(self, place: int, after: str, lanes: Sequence[Lane], upto: str) -> None:
        if self._warden is not None:
            self._warden.found(place, after, lanes, upto)
            self._news.set()

    def _end_lost(self) -> None:
        """Have the master end the runs that have lost their permit, again until each is over."""
        for (worker, slot, queue), run_seq in list(self._ending.items()):
            if _runs(self._role.pages[slot], worker, queue) == run_seq:
                self._role.tell(EndRun(f"{worker:016x}", run_seq, "permit_lost"))
            else:
                self._ending.pop((worker, slot, queue), None)

    def _lost(self, worker: int, slot: int, queue: str, is_ending: bool) -> None:
        """On the thread: the loop's next beat acts. Which run it is is seen now: no other can begin before
        this thread gives out another pass."""
        run_seq = _runs(self._role.pages[slot], worker, queue)
        if run_seq is None:
            return
        if is_ending:
            self._ending[worker, slot, queue] = run_seq
        _logger.warning(log.LIMIT_LOST, worker=f"{worker:016x}", slot=slot, queue=queue)

    def _run(self, warden: Warden) -> None:
        """The thread: tick after tick, whatever one of them runs into."""
        self._passes.own()
        warden.adopt(_now_ns())
        while not warden.over:
            wait_ms = TROUBLE_MS
            try:
                wait_ms = warden.tick(_now_ns())
            except Exception:
                _logger.exception(log.INTERNAL_ERROR, duty="limits")
            if not warden.closing:
                self._news.wait(wait_ms / 1000)
                self._news.clear()


def merged(configured: Mapping[str, Limit], found: Mapping[str, operations.SetLimit]) -> dict[str, Limit]:
    """What was set at runtime comes before what is configured."""
    limits = dict(configured)
    for name, limit in found.items():
        limits.pop(name, None)
        if not limit.off:
            limits[name] = Limit(**{part: getattr(limit, part) for part in Limit.__struct_fields__})
    return limits


def limiting(queue: str, limits: Mapping[str, Limit]) -> Limiting | None:
    """What the board says of a queue; None when nothing holds for it."""
    (found,) = limited_queues([Line(queue, 1, 1)], limits).values() or (None,)
    if found is None:
        return None
    words = " ".join(mark.word for mark in marks(found.lane_rules))
    return Limiting(bool(found.rules), bool(found.lane_rules), paths(found.lane_rules), words)


def limited_queues(lines: Sequence[Line], limits: Mapping[str, Limit]) -> dict[int, LimitedQueue]:
    """By the number of their line: which limits hold for all jobs of the queue alike, and which for some of
    them, by their type or an argument. Those on types hold for every queue."""
    found: dict[int, LimitedQueue] = {}
    first = 0
    for number, line in enumerate(lines):
        here = {name: limit for name, limit in limits.items() if limit.type or limit.queue == line.queue}
        rules = {name: limit for name, limit in here.items() if limit.queue and not limit.limit_key}
        lanes = {name: limit for name, limit in here.items() if name not in rules}
        if here:
            found[number] = LimitedQueue(line.queue, number, first, line.partitions, rules, lanes)
        first += line.partitions
    return found


def _runs(page: Page, worker: int, queue: str) -> int | None:
    """The number of the run of this queue that this worker is in."""
    try:
        seen = page.snapshot()
    except PageGarbled:
        return None
    if seen.incarnation != f"{worker:016x}" or seen.running is None:
        return None
    return seen.run_seq if seen.held[seen.running].queue == queue else None


def _now_ns() -> int:
    return int(boottime_s() * 1e9)
