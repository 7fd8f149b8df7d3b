"""Each reason for a run too many, beside what looks like it and is none: evidence.py and nodes.py."""

from collections import Counter
from typing import Any

import pytest

from chaos.evidence import AWAY, Strike, slot_of
from chaos.story import Story, ns, rules


@pytest.fixture
def story() -> Story:
    return Story()


def again(story: Story, *begins: float) -> str:
    """One that succeeded at 10 s and began again at 12 s, both processes going on."""
    jid = story.push("noop")
    for pid, begin in enumerate(begins or (9, 12), start=1):
        story.run(jid, "noop", begin, begin + 1, pid=pid)
        story.run(story.push("noop"), "noop", begin + 2, begin + 3, pid=pid)
    return jid


LINE, STOP, KILL = "cut a host off", "stop", "kill"


def hit(story: Story, what: str, at: float, for_s: float, *, host: int = 0, of: str = "all of north") -> None:
    """Host 0, which is north, has workers with pid 1, and south those with pid 2."""
    for name, pid in (("north", 1), ("south", 2)):
        story.evidence.read_log([{"event": "worker.ready", "child": pid, "at_ns": ns(0)}], name)
    about: dict[str, Any] = {"host": host} if what == LINE else {"of": of}
    if what == KILL:
        about["killed"] = [77]
    story.evidence.read_record([{"what": what, "at_ns": ns(at), "for_s": for_s, **about}])
    story.evidence.strikes.append(Strike("some strike", ns(at), ns(at + for_s)))
    if what == KILL:
        host_of = of.partition(" of ")[2]
        died = {"event": "role.died", "role": "coordinator", "at_ns": ns(at)}
        ready = {"event": "role.ready", "role": "coordinator", "at_ns": ns(at + for_s)}
        served = {"event": "master.serving", "at_ns": ns(at + for_s)}
        story.evidence.read_log([served] if of.startswith("master") else [died, ready], host_of)


@pytest.mark.parametrize(
    ("what", "at", "for_s", "more", "reason"),
    [
        (LINE, 99, 16, {}, "lease expired"),
        (STOP, 99, 16, {}, "lease expired"),
        (KILL, 101.5, 12, {"of": "master of north"}, "lease expired"),  # what it had done went with it
        (KILL, 100, 13, {"of": "coordinator of north"}, "lease expired"),
        (KILL, 100, 1, {"of": "coordinator of north"}, "unexplained"),  # there was another one at once
        (LINE, 99, 16, {"host": 1}, "unexplained"),  # whose host was well
        (STOP, 99, 16, {"of": "all of south"}, "unexplained"),
        (KILL, 101.5, 12, {"of": "master of south"}, "unexplained"),
        (LINE, 99, 4, {}, "unexplained"),  # it has renewed it since
        (LINE, 60, 16, {}, "unexplained"),  # it was well again before it began
        (STOP, 108, 2, {}, "unexplained"),
    ],
)
def test_a_lease_runs_out_when_its_holder_was_still_for_a_lease_and_for_its_own_job(
    story: Story, what: str, at: float, for_s: float, more: dict[str, Any], reason: str
) -> None:
    jid, other = again(story, 100, 117), again(story, 100.5, 117)
    story.evidence.judged[jid].append(ns(116))
    hit(story, what, at, for_s, **more)
    found = story.check()
    assert found.duplicates == Counter([reason, "unexplained"])
    assert other in {each.jid for each in found.violations}


def test_no_lease_runs_out_when_nothing_was_struck(story: Story) -> None:
    story.evidence.judged[again(story)].append(ns(11))
    assert rules(story) == ["I3"]


@pytest.mark.parametrize(
    ("at", "off", "reason"),
    [(11, 0, "failover"), (11, 1, "unexplained"), (5, 0, "unexplained"), (60, 0, "unexplained")],
)
def test_a_failover_explains_what_happened_then_in_its_slots(
    story: Story, at: int, off: int, reason: str
) -> None:
    slot = slot_of(again(story)) + off
    story.evidence.failovers.append((ns(at), ((slot, slot),)))
    assert story.check().duplicates == {reason: 1}


@pytest.mark.parametrize(
    ("at", "killed_at", "reason"),
    [(14, None, "failover"), (16, None, "unexplained"), (39, None, "unexplained"), (39, 11, "failover")],
    ids=["soon after", "later", "much later", "much later, of one that was killed soon after"],
)
def test_a_failover_takes_along_what_its_primary_did_last(
    story: Story, at: float, killed_at: float | None, reason: str
) -> None:
    slots = [[slot_of(again(story, 9, 40))] * 2]
    story.evidence.read_record([{"what": "failover", "at_ns": ns(at), "to": "b", "slots": slots}])
    if killed_at is not None:
        begin_ns, end_ns = ns(killed_at), ns(at)
        name = "kill a primary"
        story.evidence.read_record(
            [
                {"what": "killed a primary", "at_ns": begin_ns, "slots": slots},
                {"what": "strike", "at_ns": end_ns, "name": name, "begin_ns": begin_ns, "end_ns": end_ns},
            ]
        )
    assert story.check().duplicates == {reason: 1}


@pytest.mark.parametrize(
    ("parted_at", "way", "reason"),
    [
        (8, "a primary from its replica", "failover"),  # and the replica had not caught up
        (8, "a shard alone", "unexplained"),
        (3, "a primary from its replica", "unexplained"),  # it had by then
    ],
)
def test_a_failover_to_a_replica_that_could_not_follow_takes_along_more(
    story: Story, parted_at: float, way: str, reason: str
) -> None:
    """For eight seconds; a failover is seen at 20 s, or at 23 s."""
    slots = [[slot_of(again(story, 9, 40))] * 2]
    parted = {"at_ns": ns(parted_at), "for_s": 8.0, "way": way, "slots": slots}
    story.evidence.read_record(
        [
            {"what": "parted the nodes", **parted},
            {"what": "failover", "at_ns": ns(23 if parted_at == 3 else 20), "to": "b", "slots": slots},
        ]
    )
    assert story.check().duplicates == {reason: 1}


@pytest.mark.parametrize(
    ("way", "at", "reason"),
    [("FORCE", 10.8, "failover"), ("plain", 10.8, "unexplained"), ("plain", 11.2, "failover")],
    ids=["by force", "plain", "plain, but later"],
)
def test_a_shard_that_was_handed_over_in_the_plain_way_explains_nothing(
    story: Story, way: str, at: float, reason: str
) -> None:
    slot = slot_of(again(story))
    seen = {"what": "failover", "at_ns": ns(11), "to": "b", "slots": [[slot, slot]]}
    story.evidence.read_record(
        [seen, {"what": "handed a shard over", "at_ns": ns(at), "to": "b", "way": way}]
    )
    assert story.check().duplicates == {reason: 1}


@pytest.mark.parametrize(
    ("noted", "off", "failover_at", "until", "reason"),
    [
        ("freeze a node", 0, 5, 10.9, "old primary went on"),
        ("keep a node busy", 0, 5, 10.9, "old primary went on"),
        ("parted the nodes", 0, 5, 10.9, "old primary went on"),
        ("fill a node's memory", 0, 5, 10.9, "unexplained"),  # it heard of everything
        ("freeze a node", 1, 5, 10.9, "unexplained"),  # it stood still for other slots
        ("freeze a node", 0, 0.5, 10.9, "unexplained"),  # and was no primary any more before that
        ("freeze a node", 0, 5, 6, "unexplained"),  # it had heard of it long since
    ],
)
def test_a_primary_that_goes_on_after_its_failover_explains_a_push_that_was_in_twice(
    story: Story, noted: str, off: int, failover_at: float, until: float, reason: str
) -> None:
    jid = story.push("noop")
    story.run(jid, "noop", 10.5, 10.6, entry="1-1")
    story.run(jid, "noop", 70.9, 71, entry="1-2", pid=2)
    handed_out = story.push("noop")
    story.run(handed_out, "noop", 10.7, 10.8, entry="2-1")
    story.run(handed_out, "noop", 10.9, 11, entry="2-1", pid=2)
    slot = slot_of(jid)
    story.evidence.failovers.append((ns(failover_at), ((slot, slot),)))
    away = {"what": noted, "at_ns": ns(1), "slots": [[slot + off, slot + off]]}
    strike = {
        "what": "strike",
        "at_ns": ns(until),
        "name": AWAY.get(noted, noted),
        "begin_ns": ns(0.9),
        "end_ns": ns(until),
    }
    story.evidence.read_record([away, strike])
    found = story.check()
    assert found.duplicates == {reason: 2}
    delivered_twice = any("one delivery" in each.text for each in found.violations)
    assert delivered_twice == (reason == "unexplained")


@pytest.mark.parametrize(
    ("deaths", "stood", "reason"),
    [
        ([2.001], None, "killed at its end"),
        ([1.5], None, "killed at its end"),  # a kill is noted before it is done
        ([0.2], None, "unexplained"),  # another one of this pid
        ([8], None, "unexplained"),  # it had all the time to tell how it ended
        ([8], (1.9, 4), "killed at its end"),  # which nobody could hear
        ([12], (1.9, 4), "unexplained"),  # after it had begun again
        ([3000], None, "unexplained"),
    ],
)
def test_a_process_killed_right_after_its_end_explains_one_more_run(
    story: Story, deaths: list[float], stood: tuple[float, float] | None, reason: str
) -> None:
    jid = story.push("noop")
    story.run(jid, "noop", 1, 2, pid=1)
    story.run(jid, "noop", 10, 11, pid=2, attempt=2)
    story.evidence.deaths[1] = [ns(at) for at in deaths]
    if stood:
        story.evidence.hindered[1].append((ns(stood[0]), ns(stood[1])))
    assert story.check().duplicates == {reason: 1}


@pytest.mark.parametrize("died_at", [None, 90])
def test_a_run_without_an_end_goes_on_until_its_process_dies(story: Story, died_at: float | None) -> None:
    jid = story.push("lingers")
    story.run(jid, "lingers", 1, None, pid=1)
    story.run(jid, "lingers", 2, 5, pid=2)
    if died_at is not None:
        story.evidence.deaths[1].append(ns(died_at))
    assert story.check().duplicates == {"unexplained": 1}
    assert rules(story) == (["I3"] if died_at else ["I2", "I3"])
    story.evidence.deaths[1].append(ns(1.5))
    assert (rules(story), story.check().duplicates) == ([], {})


def test_who_dies_with_its_master_is_dead(story: Story) -> None:
    """A worker that was born in the very moment in which its host was killed is in no list of the killed."""
    jid = story.push("lingers")
    story.run(jid, "lingers", 1, None, pid=1)
    story.run(jid, "lingers", 20, 25, pid=2)
    hit(story, KILL, 1.5, 3, of="master of south")
    assert rules(story) == ["I2", "I3"]
    hit(story, KILL, 1.5, 3, of="master of north")
    assert rules(story) == []
