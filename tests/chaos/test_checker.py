"""Each rule about single jobs with a violation planted, beside the same history without it."""

from typing import Any

import pytest

from chaos.evidence import AWAY, Strike, slot_of
from chaos.kinds import QUEUES
from chaos.story import Story, ns, rules
from ganger import jid as jids


@pytest.fixture
def story() -> Story:
    return Story()


def test_a_plain_history_is_right_and_sorted(story: Story) -> None:
    for number in range(5):
        story.run(story.push("noop", number), "noop", number + 0.1, number + 0.2, pid=number % 2)
    story.push("noop", how="U")
    story.push("noop", how="Z")
    story.push("noop", how="")
    found = story.check()
    assert found.violations == []
    assert (found.sorts["acknowledged"], found.sorts["unknown"], found.sorts["executed"]) == (5, 1, 5)
    assert found.sorts["lost"] == 0


def test_an_acknowledged_job_that_never_ran_is_lost(story: Story) -> None:
    story.push("noop")
    found = story.check()
    assert ([each.rule for each in found.violations], found.sorts["lost"]) == (["I1"], 1)


def test_an_unknown_push_may_have_been_executed_and_a_failed_one_may_not(story: Story) -> None:
    story.run(story.push("noop", how="U"), "noop", 1, 2)
    story.run(story.push("noop", how=""), "noop", 3, 4)
    assert rules(story) == []
    story.run(story.push("noop", how="Z"), "noop", 5, 6)
    assert rules(story) == ["I2"]


def test_what_was_promised_to_nobody_may_go_with_a_failover_that_was_seen(story: Story) -> None:
    jid = story.push("flaky", how="U")
    story.run(jid, "flaky", 1, 2, ok=False)
    story.final |= {"counters": {"odd": {"enqueued": 0}}, "left": {"odd": 0}}
    assert rules(story) == ["I1", "I13"]
    story.evidence.failovers.append((ns(3), ((slot_of(jid), slot_of(jid)),)))
    assert rules(story) == []


def test_what_nobody_pushed_may_not_run(story: Story) -> None:
    story.run(jids.mint(QUEUES[0], 0)[0], "noop", 1, 2)
    assert rules(story) == ["I2"]


def test_a_handler_that_is_left_half_way_is_wrong(story: Story) -> None:
    story.run(story.push("noop"), "noop", 1, None)
    story.run(story.push("noop"), "noop", 2, 3)
    assert rules(story) == ["I1", "I2"]


def test_one_cut_short_by_a_death_runs_again_and_is_no_duplicate(story: Story) -> None:
    jid = story.push("noop")
    story.run(jid, "noop", 1, None, pid=1)
    story.run(jid, "noop", 2, 3, pid=2, attempt=2)
    found = story.check()
    assert (found.violations, found.duplicates, found.sorts["run again after a death"]) == ([], {}, 1)


@pytest.mark.parametrize(
    ("first", "second"),
    [((1, 2, True), (3, 4)), ((1, 5, True), (2, 4)), ((1, 5, False), (2, 4)), ((1, 2, False), (3, 4))],
    ids=["after success", "beside success", "beside failure", "the same attempt again"],
)
def test_a_run_too_many_without_a_reason_is_a_violation(story: Story, first: Any, second: Any) -> None:
    jid = story.push("noop")
    story.run(jid, "noop", first[0], first[1], ok=first[2], pid=1)
    story.run(jid, "noop", *second, pid=2)
    story.run(story.push("noop"), "noop", 6, 7, pid=1)
    found = story.check()
    assert ([each.rule for each in found.violations], found.duplicates) == (["I3"], {"unexplained": 1})


def test_a_retry_after_a_failure_is_as_it_should_be(story: Story) -> None:
    jid = story.push("flaky")
    for attempt in (1, 2, 3):
        story.run(jid, "flaky", attempt, attempt + 0.5, ok=attempt == 3, attempt=attempt, pid=attempt)
    assert rules(story) == []


def again(story: Story) -> str:
    """One that succeeded at 10 s and began again at 12 s, both processes going on."""
    jid = story.push("noop")
    for pid, begin in ((1, 9), (2, 12)):
        story.run(jid, "noop", begin, begin + 1, pid=pid)
        story.run(story.push("noop"), "noop", begin + 2, begin + 3, pid=pid)
    return jid


def test_a_lease_that_was_judged_explains_its_own_job_only(story: Story) -> None:
    jid, other = again(story), again(story)
    story.evidence.judged[jid].append(ns(11))
    story.evidence.strikes.append(Strike("a freeze", ns(1), ns(11)))
    found = story.check()
    assert found.duplicates == {"lease expired": 1, "unexplained": 1}
    assert [each.jid for each in found.violations] == [other]


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


def test_a_process_killed_right_after_its_end_explains_one_more_run(story: Story) -> None:
    jid = story.push("noop")
    story.run(jid, "noop", 1, 2, pid=1)
    story.run(jid, "noop", 3, 4, pid=2, attempt=2)
    assert rules(story) == ["I3"]
    story.evidence.deaths[1].append(ns(2.001))
    assert story.check().duplicates == {"killed at its end": 1}


def test_one_delivery_in_two_processes_is_wrong_unless_who_took_over_had_not_heard_of_it(
    story: Story,
) -> None:
    jid = story.push("noop")
    story.run(jid, "noop", 1, None, pid=1, entry="7-7")
    story.run(jid, "noop", 2, 3, pid=2, entry="7-7")
    assert rules(story) == ["I3"]
    story.evidence.failovers.append((ns(1.5), ((slot_of(jid), slot_of(jid)),)))
    assert rules(story) == []


def test_more_attempts_than_retries_are_wrong(story: Story) -> None:
    jid = story.push("hopeless")
    for attempt in (1, 2):
        story.run(jid, "hopeless", attempt, attempt + 0.5, ok=False, attempt=attempt)
    found = story.check()
    assert (found.violations, found.sorts["exhausted"]) == ([], 1)
    story.run(jid, "hopeless", 3, 3.5, ok=False, attempt=3)
    assert rules(story) == ["I4"]


def test_the_dead_letters_are_those_that_must_be_there(story: Story) -> None:
    dead = {"crashes": 0, "causes": ["exception", "exception"]}
    jid = story.push("doomed")
    for attempt in (1, 2):
        story.run(jid, "doomed", attempt, attempt + 0.5, ok=False, attempt=attempt)
    assert rules(story) == ["I1"]
    story.final["dead"] = {jid: dead}
    assert rules(story) == []
    noop = story.push("noop")
    story.final["dead"] = {jid: dead, noop: dead}
    assert rules(story) == ["I12"]
    story.final["dead"] = {jid: dead, noop: dead | {"crashes": 3}}
    assert rules(story) == []


def test_one_that_is_to_be_exhausted_is_dead_only_if_its_worker_was_killed(story: Story) -> None:
    jid = story.push("hopeless")
    for attempt in (1, 2):
        story.run(jid, "hopeless", attempt, attempt + 0.5, ok=False, attempt=attempt, pid=attempt)
    story.final["dead"] = {jid: {"crashes": 0, "causes": ["exception", "exception"]}}
    assert rules(story) == ["I12"]
    story.evidence.deaths[2].append(ns(2.6))
    assert rules(story) == []


def test_a_job_neither_begins_before_it_is_due_nor_after_its_time(story: Story) -> None:
    story.run(story.push("delayed", due=5), "delayed", 5, 6)
    story.run(story.push("expires", expires=5), "expires", 4, 6)
    story.push("expires", expires=5)
    found = story.check()
    assert (found.violations, found.sorts["expired"]) == ([], 1)
    story.run(story.push("delayed", due=10), "delayed", 8, 9)
    assert rules(story) == ["I5"]
    story.run(story.push("expires", expires=5), "expires", 20, 21)
    assert rules(story) == ["I5", "I7"]
    story.evidence.strikes.append(Strike("a clock", ns(0), ns(21)))
    assert rules(story) == []


def test_what_was_cancelled_does_not_run(story: Story) -> None:
    jid = story.push("unwanted")
    story.pushes.append(f"C {ns(1)} {jid}")
    assert (rules(story), story.check().sorts["cancelled"]) == ([], 1)
    story.run(jid, "unwanted", 2, 3)
    assert rules(story) == ["I2"]
