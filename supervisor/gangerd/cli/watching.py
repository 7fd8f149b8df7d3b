"""`ganger status --watch`: the state of the whole once a second, until Ctrl-C.

What is shown comes from `Admin`, how it is shown from rendering.py; here are the rates, which take two looks,
and what happens when one fails: it is said in the picture, and the next second asks again."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

from gangerd.cli import tables
from gangerd.cli.words import plural

if TYPE_CHECKING:
    from ganger.admin import Admin
    from ganger.views import Host, Queue
    from gangerd.cli.rendering import Block

PERIOD_S = 1.0
CRASHES = 5
UNSERVED_EVERY = 10
"""Seconds between two samples of the types that nobody knows: it is the dearest look."""
RATED = ("enqueued", "succeeded", "failed")


class Rates:
    """How many a second a queue's counters have moved since the look before; nothing at the first."""

    def __init__(self) -> None:
        self._before: dict[str, Mapping[str, int]] = {}
        self._at_s: float | None = None

    def of(self, counters: Mapping[str, Mapping[str, int]], at_s: float) -> dict[str, dict[str, float]]:
        """By queue and counter. A counter that went back (its node came back empty) moved by nothing."""
        found: dict[str, dict[str, float]] = {}
        if self._at_s is not None and at_s > self._at_s:
            for queue, now in counters.items():
                before = self._before.get(queue, {})
                moved = {name: max(now.get(name, 0) - before.get(name, 0), 0) for name in RATED}
                found[queue] = {name: count / (at_s - self._at_s) for name, count in moved.items()}
        self._before, self._at_s = dict(counters), at_s
        return found


def pictures(admin: "Admin") -> "Iterator[list[Block]]":
    """One each second, for ever. Asks only while somebody iterates."""
    from ganger.errors import GangerError

    rates = Rates()
    unserved: list[dict[str, object]] = []
    for number in range(1 << 62):
        began_s = time.monotonic()
        try:
            if number % UNSERVED_EVERY == 0:
                unserved = [asdict(one) for one in admin.unserved()]
            yield list(_picture(admin, rates, began_s, unserved))
        except GangerError as error:
            yield [f"ganger: {error}"]
        time.sleep(max(0.0, began_s + PERIOD_S - time.monotonic()))


def _picture(
    admin: "Admin", rates: Rates, at_s: float, unserved: list[dict[str, object]]
) -> "Iterator[Block]":
    """What is longest comes last: a small screen cuts it off."""
    queues, hosts = admin.queues(), admin.hosts()
    moving = rates.of({queue.name: queue.counters for queue in queues}, at_s)
    now_ms = int(time.time() * 1000)
    yield _headline(queues, hosts, admin.leader())
    yield "", tables.moving_queues([queue.document() for queue in queues], moving, now_ms)
    if unserved:
        yield "Waiting for a worker that knows them", tables.unserved(unserved)
    crashes = [crash.document() for crash in admin.crashes(CRASHES)]
    if crashes:
        yield "Workers that jobs killed last", tables.crashes(crashes, now_ms)
    workers = [worker.document() for host in hosts for worker in host.workers]
    yield "", tables.workers(workers, now_ms)


def _headline(queues: "list[Queue]", hosts: "list[Host]", leader: str | None) -> str:
    names = {host.incarnation: host.host for host in hosts}
    leads = "nobody" if leader is None else names.get(leader, leader)
    workers = sum(len(host.workers) for host in hosts)
    later = sum(queue.later for queue in queues)
    at = time.strftime("%H:%M:%S")
    return (
        f"{at}  {plural(len(hosts), 'host')}, {plural(workers, 'worker')}; {leads} leads;"
        f" {plural(later, 'job')} for later.  Ctrl-C leaves."
    )
