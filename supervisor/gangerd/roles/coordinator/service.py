"""The coordinator's duties, put together on one loop; each is a module of its own.

wake-up message -> board -> doorbell              at once                       subscriptions, board_keeper
poll, heartbeat, figures                          each second                   lookout, heartbeat, figures
renewal of leases                                 each renew_ms                 renewal
hand-back scan                                    each 25 ms while work is held hand_back
cancelled jobs                                    at once, or at a renewal      cancels
deaths                                            as they come                  deathbed, burial
"""

import contextlib
import os
import random
import time
from collections.abc import Sequence

from ganger.cluster import Cluster
from ganger.errors import GangerError
from ganger.keys import Control, Partition
from ganger.operations import control, cron
from gangerd import log
from gangerd.linux.proc import Usage
from gangerd.messages import Death, DeathSettled, Drain, Left, Message
from gangerd.recorder import HeaderWord, Phase
from gangerd.roles.coordinator import heartbeat, retaining
from gangerd.roles.coordinator.board_keeper import BoardKeeper
from gangerd.roles.coordinator.burial import Undertaker
from gangerd.roles.coordinator.cancels import Cancels
from gangerd.roles.coordinator.deathbed import Deathbed
from gangerd.roles.coordinator.figures import Figures
from gangerd.roles.coordinator.hand_back import HandBack
from gangerd.roles.coordinator.limits import Limits
from gangerd.roles.coordinator.lookout import Lookout
from gangerd.roles.coordinator.renewal import Renewal
from gangerd.roles.loop import MS, LeaveLoop
from gangerd.roles.queues import Queues
from gangerd.roles.role import Role

BEAT_MS = 1_000
SCAN_MS = 25
RETRY_RENEWAL_MS = 1_000
ANNOUNCE_EVERY = 20
"""Beats between two announcements of the job types."""
ANNOUNCE_CRONS_EVERY = 10
REFRESH_EVERY = 5
"""Beats between two looks at the catalog: whether our queues are still in it."""
FLUSH_S = 5.0
SUCCEEDED_FLUSH_S = 0.5
"""Leases want renewing, and what is not settled by then is the successor's."""
DRAIN_MS = 50
HEARTBEAT_S = 0.5
_logger = log.get()


class Coordinator:
    """`begin` may raise GangerError and be called again with a new instance; nothing runs before it."""

    def __init__(self, role: Role, cluster: Cluster) -> None:
        self._role = role
        self._cluster = cluster
        self._keys = Control(role.config.namespace)
        self._queues = Queues(cluster, self._keys)
        self._keeper = BoardKeeper(role.board, role.slots, role.doorbell_fd)
        self._lookout = Lookout(cluster, role.loop, self._keeper, self._told_to_cancel, self._lanes_wait)
        self._hand_back = HandBack(cluster, role.pages, role.recorder_fd, role.host, self._queues.find)
        self._cancels = Cancels(role.pages, role.tell, self._hand_back.take_back)
        self._limits = Limits(role, cluster, self._keys, self._keeper)
        self._renewal = Renewal(cluster, role.pages, role.host, self._cancel)
        types = role.manifest.get("types", {})
        self._types = types
        self._crons = role.manifest.get("crons", [])
        undertaker = Undertaker(cluster, self._keys, self._queues, types, role.config.host, random.Random())
        self._deathbed = Deathbed(undertaker, self._settled)
        self._figures = Figures(role.config, role.header, fresh=role.header[HeaderWord.COORDINATOR_PID] == 0)
        self._usage = Usage()
        self._pids: set[int] = set()
        self._beats = 0
        self._leaving_s: float | None = None
        self._succeeded = False

    def begin(self) -> str:
        """Publish the board and take up the duties; one line for status. Raises GangerError, ValueError."""
        self._limits.read()
        config = self._role.config
        retaining.declare(self._cluster, self._keys, self._queues, config.retain, config.partitions)
        self._publish()
        first = self._role.header[HeaderWord.COORDINATOR_PID] == 0
        self._limits.begin(self._keeper.lines, first=first)
        self._keeper.on_news = self._limits.look
        loop = self._role.loop
        self._role.header[HeaderWord.COORDINATOR_PID] = os.getpid()
        self._role.header[HeaderWord.RENEWED_AT_NS] = time.monotonic_ns()
        loop.when_asked("scan", self._scan)
        loop.when_asked("burials", self._bury)
        loop.when_asked("drain", self._drain)
        loop.every("renew", self._role.config.renew_ms, self._renew)
        loop.when_asked("beat", self._beat)
        loop.every("look", BEAT_MS, self._look, jitter=0.1)
        return f"{len(self._keeper.lines)} queues, {len(self._keeper.partitions)} partitions"

    def handle(self, message: Message) -> None:
        """A message of the master."""
        match message:
            case Death():
                self._limits.died(message.worker)
                self._figures.death(message)
                self._deathbed.arrived(message)
                self._role.loop.soon("burials")
            case Left():
                self._figures.left(message)
            case Drain(successor=successor):
                self._succeeded = successor
                self._leaving_s = time.monotonic() + (SUCCEEDED_FLUSH_S if successor else FLUSH_S)
                self._role.loop.soon("drain")
            case _:
                _logger.warning(log.MESSAGE_UNEXPECTED, kind=type(message).__name__)

    # ---- duties ----------------------------------------------------------------------------------------

    def _look(self) -> None:
        self._role.loop.soon("beat")  # a duty of its own: where no server answers, either takes seconds
        self._lookout.poll()
        self._lookout.subscriptions.check()

    def _beat(self) -> None:
        pages, now_ns = self._role.pages, time.monotonic_ns()
        rows = heartbeat.workers(
            pages, self._role.config.host, self._usage.rss_bytes, now_ns, time.time_ns() // MS
        )
        self._forget_pids({row["pid"] for row in rows if "pid" in row})
        self._limits.beat()
        limits = self._limits.rows()
        try:
            if self._beats % ANNOUNCE_EVERY == 0:
                control.announce(self._cluster, self._keys, self._types, deadline_s=HEARTBEAT_S)
            if self._beats % ANNOUNCE_CRONS_EVERY == 0:
                self._announce_crons()
            if self._beats % REFRESH_EVERY == 0:
                self._queues.refresh()
            names = [line.queue for line in self._keeper.lines]
            document = heartbeat.status(self._role.config, os.getpid(), rows, names, limits)
            control.heartbeat(self._cluster, self._keys, self._role.host, document, deadline_s=HEARTBEAT_S)
            self._limits.read()
            self._beats += 1
        except GangerError:
            pass  # the poll has said that Redis is down; whoever looks sees the host's silence
        self._figures.beat(pages, rows, self._hand_back.released, limits, self._limits.lost)
        if self._under_way():
            self._role.loop.soon("scan", SCAN_MS)

    def _announce_crons(self) -> None:
        """Also an empty list: the version that dropped its last entry must be heard."""
        host, app = self._role.host, self._role.config.app
        cron.announce(self._cluster, self._keys, host, app, self._crons, deadline_s=HEARTBEAT_S)

    def _renew(self) -> None:
        done = self._renewal.round(self._queues.find, time.monotonic_ns())
        if done.answered if done.asked else self._lookout.polled:
            self._role.header[HeaderWord.RENEWED_AT_NS] = time.monotonic_ns()
        if done.answered < done.asked or not (done.asked or self._lookout.polled):
            self._role.loop.soon("renew", RETRY_RENEWAL_MS)

    def _scan(self) -> None:
        wanted = self._cancels.scan(time.monotonic_ns())
        if self._hand_back.scan(time.monotonic_ns()) or wanted or self._under_way():
            self._role.loop.soon("scan", SCAN_MS)

    def _told_to_cancel(self, partition: Partition, what: bytes) -> None:
        """A hint, heard by every host that serves the queue; the delivery is one's."""
        consumer, _, id = what.partition(b" ")
        if consumer == self._role.host.encode():
            self._cancel(partition, id)

    def _lanes_wait(self, index: int, ids: Sequence[str]) -> None:
        self._limits.lanes_wait(index, ids)

    def _cancel(self, partition: Partition, id: bytes) -> None:
        self._cancels.asked(partition, id, time.monotonic_ns())
        self._role.loop.soon("scan")

    def _bury(self) -> None:
        next_ns = self._deathbed.work()
        if next_ns is not None:
            self._role.loop.soon("burials", max(0.0, (next_ns - time.monotonic_ns()) / MS))

    def _drain(self) -> None:
        """The workers are gone: what is owed is paid, then this host has left; or only this process has, and
        the host is still there."""
        assert self._leaving_s is not None
        late = time.monotonic() > self._leaving_s
        flushed = self._hand_back.flush()
        if not late and not (flushed and not len(self._deathbed) and self._role.told_everything()):
            self._role.loop.soon("drain", DRAIN_MS)
            return
        if not self._succeeded:
            self._depart()
        self._limits.close()
        self._figures.close(self._role.pages)
        self._lookout.close()
        self._cluster.close()
        raise LeaveLoop(0)

    def _depart(self) -> None:
        with contextlib.suppress(GangerError):  # its rows go by themselves within a minute
            control.depart(self._cluster, self._keys, self._role.host, deadline_s=HEARTBEAT_S)
            cron.withdraw(self._cluster, self._keys, self._role.host, deadline_s=HEARTBEAT_S)

    # ---- what they need ----------------------------------------------------------------------------------

    def _publish(self) -> None:
        """The board's directory: the queues this host serves, with all their partitions."""
        config = self._role.config
        weights = dict(config.queues) or {
            str(options.get("queue", "default")): 1 for _, options in sorted(self._types.items())
        } | {str(entry["queue"]): 1 for entry in self._crons}
        for line in self._keeper.lines:
            weights.setdefault(line.queue, line.weight)
        self._queues.register(weights, config.partitions)
        served = {queue: (self._queues.of(queue), weight) for queue, weight in weights.items()}
        self._keeper.publish(served, self._limits.of(served))
        self._lookout.follow()

    def _forget_pids(self, living: set[int]) -> None:
        for pid in self._pids - living:
            self._usage.forget(pid)
        self._pids = living

    def _under_way(self) -> bool:
        """Whether any worker is awake: only then can a page hold something."""
        alive = sum(page.phase not in (Phase.VACANT, Phase.BORN) for page in self._role.pages)
        return alive > self._keeper.idle_count()

    def _settled(self, death: Death, fate: str) -> None:
        _logger.info(log.DEATH_SETTLED, death=death.id, cause=death.cause, job=fate or None, jid=_jid(death))
        self._figures.fate(fate)
        self._role.tell(DeathSettled(death.id))


def _jid(death: Death) -> str | None:
    return death.held[death.running].jid if death.running is not None else None
