"""Pushing: one job, many, later, with a replica's word, unique ones; and what they find of the catalog."""

from itertools import count
from typing import Any

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.errors import NotUnique, OutcomeUnknown
from ganger.keys import partitions
from ganger.label import Label
from ganger.operations import enqueue, find, unique
from support.keyspace import MAIL, opened
from support.stage import Stage
from support.stories.registry import all_at, jobs, story

PLACES = partitions("ganger", "mail", 12)
FIRST = 4
"""The last of its node: the next ones are on another."""


def push_again(stage: Stage, cluster: Cluster, **settings: Any) -> str:
    """As an application should: with the jid that the error names, or anew when nothing is in."""
    error = stage.heard[-1]
    jid = error.jids[0] if isinstance(error, OutcomeUnknown) and error.jids else None
    return stage.client(cluster, **settings).push("shop.send", queue="mail", jid=jid)


@story
def the_first_push(stage: Stage) -> None:
    """Registers the queue and opens a partition on its way."""
    stage.begin()
    jid = stage.act(
        lambda c: stage.client(c).push("shop.send", queue="mail"), lambda c: push_again(stage, c), named=True
    )
    place = stage.client(stage.cluster).pusher.place_of("mail", jid)
    stage.settle(stage.take(place))
    stage.sure({jid: "gone"}, places=PLACES)
    assert stage.counters(place)["succeeded"] == 1


@story
def a_push_that_a_replica_has(stage: Stage) -> None:
    stage.begin()
    jid = stage.act(
        lambda c: stage.client(c, durability="replicated").push("shop.send", queue="mail"),
        lambda c: push_again(stage, c, durability="replicated"),
        named=True,
    )
    stage.sure({jid: "waiting"}, places=PLACES)


def _many(stage: Stage, number: int, durability: str) -> None:
    """Who hears that some may not be in looks for them, and pushes those that are not."""
    stage.begin()
    rows = [(row,) for row in range(number)]

    def push(cluster: Cluster) -> list[str]:
        client = stage.client(cluster, durability=durability)
        client.pusher._turn = count(FIRST)  # else it is chance to how many nodes it goes
        return client.push_many("shop.send", rows, queue="mail")

    def missing(cluster: Cluster) -> list[str]:
        client, error = stage.client(cluster, durability=durability), stage.heard[-1]
        if not isinstance(error, OutcomeUnknown) or not error.jids:
            return push(cluster)
        for jid in error.jids:
            if find.find(cluster, client.pusher.place_of("mail", jid), jid) is None:
                client.push("shop.send", [0], queue="mail", jid=jid)
        return list(error.jids)

    stage.act(push, missing, named=True)
    total = 0
    for place in PLACES:
        if stage.cluster.run(Command(place.slot, ("EXISTS", place.meta))):
            total += stage.counters(place).get("enqueued", 0)
    assert total == len(rows), f"{total} of {len(rows)} are in"


@story
def many_pushed(stage: Stage) -> None:
    _many(stage, 40, "fast")


@story
def many_pushed_that_replicas_have(stage: Stage) -> None:
    """In three parts, to two nodes; around each node's stands the question whose history it writes."""
    for place in PLACES:
        opened(stage.cluster, place)
    _many(stage, 3 * len(PLACES), "replicated")


@story
def a_push_for_later(stage: Stage) -> None:
    opened(stage.cluster)
    made = jobs(2)
    stage.begin()
    stage.act(lambda c: enqueue.schedule(c, MAIL, 5, made, at_ms=1), named=True)
    stage.sure(all_at(made, "later"))


class _Lock:
    """A unique push of type shop.send by hand, as unique_push.py makes it."""

    DIGEST = "d1"

    def __init__(self, *, replace: bool = False, delay_ms: int | None = None) -> None:
        (self.job,) = jobs(1, Label(unique=self.DIGEST))
        self._replace, self._delay_ms = replace, delay_ms

    def push(self, cluster: Cluster) -> unique.Answer:
        return self._ask(cluster, None)

    def push_over(self, cluster: Cluster, holder: str) -> unique.Answer:
        """Its entry is looked for and named."""
        found = find.find(cluster, MAIL, holder)
        old = (found.stream, found.id) if found is not None and found.id is not None else None
        return self._ask(cluster, old)

    def _ask(self, cluster: Cluster, old: tuple[int | None, bytes] | None) -> unique.Answer:
        command = unique.push_command(
            MAIL, 5, self.job, self.DIGEST, 3_600_000, delay_ms=self._delay_ms, replace=self._replace, old=old
        )
        return unique.parse_push(cluster.run(command), MAIL, self.job.jid)


@story
def a_unique_job_and_one_too_many(stage: Stage) -> None:
    opened(stage.cluster)
    first, second, third = _Lock(), _Lock(), _Lock()
    stage.begin()
    assert stage.act(first.push).word == "pushed"
    answer = stage.act(second.push)
    assert (answer.word, answer.holder) == ("held", first.job.jid)
    stage.settle(stage.take())
    answer = stage.act(third.push)
    if answer.word == "held":  # by the second, whose first request came when the lock was free
        assert stage.came_late and answer.holder == second.job.jid
    stage.sure({second.job.jid if answer.word == "held" else third.job.jid: "waiting"})


@story
def a_unique_job_replaced(stage: Stage) -> None:
    """Once in later, once in ready."""
    opened(stage.cluster)
    first, second, third = _Lock(delay_ms=60_000), _Lock(replace=True), _Lock(replace=True)
    stage.begin()
    stage.act(first.push)
    stage.act(second.push)
    answer = stage.act(third.push)
    if answer.word == "waiting":
        answer = stage.act(lambda c: third.push_over(c, second.job.jid))
    assert answer.word == "pushed"
    stage.sure({third.job.jid: "waiting"})


@story
def a_lock_freed_at_the_start(stage: Stage) -> None:
    opened(stage.cluster)
    first, second = _Lock(), _Lock()
    stage.begin()
    stage.act(first.push)
    entries = stage.take()
    stage.act(lambda c: unique.unlock(c, MAIL, _Lock.DIGEST, first.job.jid))
    assert stage.act(second.push).word == "pushed"
    stage.settle(entries)
    stage.sure({second.job.jid: "waiting"})


def _unique_type(stage: Stage, durability: str) -> None:
    """Through the client, with on_conflict raise."""

    def push(cluster: Cluster, jid: str | None = None) -> str:
        said: dict[str, Any] = {"queue": "mail", "unique_for": 3600.0, "on_conflict": "raise"}
        return stage.client(cluster, durability=durability).push("shop.send", [1], jid=jid, **said)

    def again(cluster: Cluster) -> str:
        error = stage.heard[-1]
        return push(cluster, error.jids[0] if isinstance(error, OutcomeUnknown) and error.jids else None)

    stage.begin()
    jid = stage.act(push, again, named=True)

    def refused(cluster: Cluster) -> str:
        try:
            return push(cluster)
        except NotUnique as error:
            return error.holder

    assert stage.act(refused, named=True) == jid
    stage.sure({jid: "waiting"}, places=PLACES)


@story
def a_unique_type_of_the_application(stage: Stage) -> None:
    _unique_type(stage, "fast")


@story
def a_unique_job_that_a_replica_has(stage: Stage) -> None:
    _unique_type(stage, "replicated")
