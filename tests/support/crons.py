"""For the tests of cron: an entry that lives in MAIL (keyspace.py), and what is remembered of it; and that of
cron_app."""

from typing import Any

import msgspec

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.cron.entry import CronEntry
from ganger.keys import Control, partitions
from ganger.operations import cron
from support.cron_app import QUEUE
from support.keyspace import MAIL, now_ms, opened

CONTROL = Control("ganger")
MINUTE_MS = 60_000
_EVERY_MINUTE = CronEntry(name="-", type="shop.send", cron="* * * * *", tz="UTC", queue="mail", priority=5)


def entry(**changes: Any) -> CronEntry:
    """Each minute, once for what was missed, overlap allowed; the name is chosen for its partition."""
    places = partitions("ganger", "mail", 12)
    made = (msgspec.structs.replace(_EVERY_MINUTE, name=f"n{number}", **changes) for number in range(10_000))
    return next(one for one in made if one.partition(places) == MAIL)


def begun(cluster: Cluster, one: CronEntry, ago_ms: int = 0) -> int:
    """The entry as if all its ticks had been dealt with until `ago_ms` ago; that instant."""
    opened(cluster)
    cron.begin(cluster, MAIL, one)
    cron.settle_in(cluster, CONTROL, one.name, f"{MAIL.queue} {MAIL.index}")
    at_ms = now_ms(cluster) - ago_ms
    value = cluster.run(Command(MAIL.slot, ("HGET", MAIL.crons, one.name)))
    rest = value.partition(b"|")[2]
    cluster.run(Command(MAIL.slot, ("HSET", MAIL.crons, one.name, b"%d|%s" % (at_ms, rest))))
    return at_ms


def memory(cluster: Cluster, one: CronEntry) -> cron.Memory:
    """What its partition remembers."""
    found = cron.look(cluster, MAIL, [one.name])[1][0]
    assert found is not None
    return found


def forget_ticks(cluster: Cluster, since_ms: int = 978_307_200_000) -> None:
    """As if the entry of cron_app had last been looked at on the first day of 2001."""
    one = cron.entries(cluster, CONTROL)["leap"]
    place = one.partition(partitions("ganger", QUEUE, 12))
    value = cluster.run(Command(place.slot, ("HGET", place.crons, "leap")))
    covered = b"%d|%s" % (since_ms, value.partition(b"|")[2])
    cluster.run(Command(place.slot, ("HSET", place.crons, "leap", covered)))
