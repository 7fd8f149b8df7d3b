"""Pausing queues and types, and clearing queues, over all partitions: who is told, and who is not."""

import itertools
import threading
import time

import pytest

from ganger import inspect
from ganger import jid as jids
from ganger.clearing import clear, survey
from ganger.cluster import Cluster
from ganger.errors import BadName
from ganger.keys import Control, Partition, partitions
from ganger.operations import claim, control, enqueue, pause
from ganger.operations.enqueue import NewJob
from ganger.operations.pause import EVERYTHING, Held
from ganger.pausing import corrections, pause_queue, pause_type, resume_queue, resume_type
from support.outage import away
from support.servers import ClusterServers
from support.waiting import until

KEYS = Control("ganger")
COUNT = 6
COSTS = {"shop.send": 1, "shop.other": 1}


def queue(cluster: Cluster, name: str = "mail") -> tuple[Partition, ...]:
    control.register_queue(cluster, KEYS, name, COUNT)
    return partitions("ganger", name, COUNT)


def push(cluster: Cluster, places: tuple[Partition, ...], *types: str) -> list[str]:
    """A job of each type into each partition."""
    made = []
    for place in places:
        for type, jid in zip(types, jids.mint(place.queue, place.index, len(types)), strict=True):
            enqueue.push(cluster, place, 5, [NewJob(jid, type, b"{}")])
            made.append(jid)
    return made


def take(cluster: Cluster, places: tuple[Partition, ...], op: int) -> list[str]:
    return [
        entry.type
        for place in places
        for entry in claim.claim(cluster, place, "a" * 16, "b" * 16, op, budget_us=10**9, costs=COSTS).entries
    ]


def test_a_paused_queue_hands_out_nothing_and_the_others_go_on(cluster: Cluster) -> None:
    mail, bulk = queue(cluster), queue(cluster, "bulk")
    push(cluster, mail[:2], "shop.send")
    push(cluster, bulk[:2], "shop.send")
    spread = pause_queue(cluster, KEYS, "mail", "the shop moves")
    assert (spread.reached, spread.missed, spread.changed) == (list(mail), {}, True)
    push(cluster, mail, "shop.send")  # also into partitions that no job had ever opened
    assert take(cluster, mail, 1) == []
    assert len(take(cluster, bulk, 1)) == 2
    row = inspect.queues(cluster, KEYS)["mail"]
    assert (row["paused"], row["paused_note"], row["paused_partitions"]) == (True, "the shop moves", COUNT)
    assert row["paused_since_ms"] == spread.since_ms
    again = pause_queue(cluster, KEYS, "mail", "me too")
    assert (again.changed, again.since_ms, again.note) == (False, spread.since_ms, "the shop moves")
    assert resume_queue(cluster, KEYS, "mail").changed
    assert len(take(cluster, mail, 2)) == COUNT + 2
    row = inspect.queues(cluster, KEYS)["mail"]
    assert (row["paused"], row["paused_since_ms"], row["paused_partitions"]) == (False, None, 0)
    assert not resume_queue(cluster, KEYS, "mail").changed


def test_a_queue_that_is_not_there_is_named(cluster: Cluster) -> None:
    queue(cluster)
    for act in (pause_queue, resume_queue, survey):
        with pytest.raises(BadName, match=r"no queue 'mial'; there are: mail"):
            act(cluster, KEYS, "mial")
    with pytest.raises(BadName):
        pause_type(cluster, KEYS, "no type")


def test_a_paused_type_stands_aside_in_every_queue_and_comes_back_first(cluster: Cluster) -> None:
    places = (*queue(cluster), *queue(cluster, "bulk"))
    sent, _ = push(cluster, places[:1], "shop.send", "shop.other")
    push(cluster, places[1:], "shop.send", "shop.other")
    spread = pause_type(cluster, KEYS, "shop.send", "mail server down")
    assert len(spread.reached) == 2 * COUNT
    assert take(cluster, places, 1) == ["shop.other"] * 2 * COUNT
    assert inspect.job(cluster, KEYS, sent)["state"] == "parked"
    rows = inspect.queues(cluster, KEYS)
    assert [(row["parked"], row["ready"]) for row in rows.values()] == [(COUNT, 0)] * 2
    assert inspect.paused_types(cluster, KEYS) == {
        "shop.send": {"since_ms": spread.since_ms, "note": "mail server down"}
    }
    push(cluster, places, "shop.other")
    told: list[int] = []
    assert resume_type(cluster, KEYS, "shop.send", told.append).unparked == 2 * COUNT == sum(told)
    assert inspect.job(cluster, KEYS, sent)["state"] == "ready"
    assert take(cluster, places, 2) == ["shop.send", "shop.other"] * 2 * COUNT
    assert inspect.paused_types(cluster, KEYS) == {}


@pytest.mark.parametrize(
    ("held", "whole", "types", "edits"),
    [
        (Held(), False, (), []),
        (Held(everything=True), True, (), []),
        (Held(), True, (), [("+", EVERYTHING)]),
        (Held(everything=True), False, (), [("-", EVERYTHING)]),
        (Held(types=frozenset("ab")), False, ("b", "c"), [("+", "c"), ("-", "a")]),
        (Held(unopened=True), True, ("a",), [("+", EVERYTHING), ("+", "a")]),
    ],
)
def test_what_a_partition_must_be_told(
    held: Held, whole: bool, types: tuple[str, ...], edits: list[tuple[str, str]]
) -> None:
    assert corrections(held, whole, types) == edits


def test_a_clear_removes_what_waited_when_it_was_counted(cluster: Cluster) -> None:
    mail = queue(cluster)
    push(cluster, mail, "shop.send")
    assert len(take(cluster, mail[:1], 1)) == 1
    push(cluster, mail, "shop.send", "shop.other")
    pause_type(cluster, KEYS, "shop.other")
    take(cluster, mail[1:2], 1)  # parks one, and works on two
    for place in mail[:3]:
        (jid,) = jids.mint("mail", place.index)
        enqueue.schedule(cluster, place, 5, [NewJob(jid, "shop.send", b"{}")], delay_ms=60_000)
    found = survey(cluster, KEYS, "mail")
    assert (found.waiting, found.later, found.in_flight) == (3 * COUNT - 3, 3, 3)
    push(cluster, mail[:1], "shop.send")
    told: list[int] = []
    assert clear(cluster, found, on_removed=told.append).removed == 3 * COUNT - 3 == sum(told)
    row = inspect.queues(cluster, KEYS)["mail"]
    assert (row["ready"], row["parked"], row["later"], row["in_flight"]) == (1, 0, 3, 3)
    assert row["counters"]["cancelled"] == 3 * COUNT - 3
    assert clear(cluster, survey(cluster, KEYS, "mail"), scheduled=True).removed == 4
    assert inspect.queues(cluster, KEYS)["mail"]["later"] == 0


def test_a_big_queue_is_cleared_in_chunks(cluster: Cluster) -> None:
    mail = queue(cluster)[:1]
    for _ in range(2):
        made = jids.mint("mail", 0, 450)
        enqueue.push(cluster, mail[0], 5, [NewJob(jid, "shop.send", b"{}") for jid in made])
    told: list[int] = []
    assert clear(cluster, survey(cluster, KEYS, "mail"), on_removed=told.append).removed == 900
    assert told == [150] * 6


def test_a_clear_that_is_stopped_leaves_the_rest_waiting_for_the_next(cluster: Cluster) -> None:
    mail = queue(cluster)
    for _ in range(2):
        made = jids.mint("mail", 0, 450)
        enqueue.push(cluster, mail[0], 5, [NewJob(jid, "shop.send", b"{}") for jid in made])

    def stop(removed: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        clear(cluster, survey(cluster, KEYS, "mail"), on_removed=stop)
    row = inspect.queues(cluster, KEYS)["mail"]
    assert (row["ready"], row["counters"]["cancelled"]) == (750, 150)
    assert clear(cluster, survey(cluster, KEYS, "mail")).removed == 750


def test_no_claim_that_begins_after_the_answer_brings_a_job(
    cluster: Cluster, cluster_servers: ClusterServers
) -> None:
    """Workers claim without a pause of their own while the queue is paused: what they got, they asked for
    before."""
    mail = queue(cluster)
    for place in mail:
        for _ in range(4):
            made = jids.mint("mail", place.index, 500)
            enqueue.push(cluster, place, 5, [NewJob(jid, "shop.send", b"{}") for jid in made])
    got: list[tuple[int, int]] = []
    over = threading.Event()

    def work(number: int) -> None:
        own = Cluster(cluster_servers.settings())
        for op in itertools.count(1):
            began_ns = time.monotonic_ns()
            place = mail[(op + number) % COUNT]
            found = claim.claim(own, place, "a" * 16, f"{number:016x}", op, budget_us=1)
            if found.entries:
                got.append((began_ns, number))
            elif over.is_set():
                break
        own.close()

    workers = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for each in workers:
        each.start()
    until(lambda: {number for _, number in got} == set(range(4)), "all four at work")
    assert pause_queue(cluster, KEYS, "mail").missed == {}
    answered_ns = time.monotonic_ns()
    over.set()
    for each in workers:
        each.join()
    assert inspect.queues(cluster, KEYS)["mail"]["ready"] > 0
    assert max(began_ns for began_ns, _ in got) < answered_ns


def test_who_is_out_of_reach_is_named_and_the_others_obey(
    rough: Cluster, rough_servers: ClusterServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("pausing", "clearing"):
        monkeypatch.setattr(f"ganger.{module}.DEADLINE_S", 1.0)
    mail = queue(rough)
    push(rough, mail, "shop.send")
    with away(rough_servers, KEYS.slot) as index:
        there = {place for place in mail if rough_servers.index_of(place.slot) == index}
        spread = pause_queue(rough, KEYS, "mail")
        assert there and set(spread.missed) == there
        assert set(spread.reached) == set(mail) - there
        found = survey(rough, KEYS, "mail")
        assert set(found.missed) == there and found.waiting == len(mail) - len(there)
        assert clear(rough, found).removed == found.waiting
    assert pause.wishes(rough, KEYS).queues.keys() == {"mail"}
    until(lambda: inspect.queues(rough, KEYS)["mail"]["unreachable"] == 0, "all are back")
    row = inspect.queues(rough, KEYS)["mail"]
    assert (row["ready"], row["paused_partitions"]) == (len(there), len(mail) - len(there))
