"""Each rule about single jobs with a violation planted, beside the same history without it."""

from typing import Any

import pytest

from chaos.evidence import Strike, slot_of
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
    assert (found.sorts["pushed"], found.sorts["executed"]) == (8, 5)
    assert [found.sorts[name] for name in ("acknowledged", "unknown", "refused")] == [5, 2, 1]
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
    story.evidence.deaths[1].append(ns(1.5))
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


def test_one_delivery_in_two_processes_is_wrong_unless_who_took_over_had_not_heard_of_it(
    story: Story,
) -> None:
    jid = story.push("noop")
    story.run(jid, "noop", 1, None, pid=1, entry="7-7")
    story.run(jid, "noop", 2, 3, pid=2, entry="7-7")
    story.evidence.deaths[1].append(ns(1.6))
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
    story.final["dead"] = {jid: dead, "1m8d0h3mcyv10ab1n3vcr00781000": dead}
    assert rules(story) == ["I1", "I12"]


@pytest.mark.parametrize(
    ("cut", "letter", "wrong"),
    [
        (3, {"crashes": 3, "causes": ["killed"] * 3}, []),
        (2, {"crashes": 3, "causes": ["killed"] * 3}, []),
        (1, {"crashes": 3, "causes": ["killed"] * 3}, ["I12"]),
        (0, {"crashes": 3, "causes": []}, ["I12"]),
        (3, {"crashes": 2, "causes": ["killed"] * 2}, ["I12"]),
        (3, {"crashes": 0, "causes": ["lost"] * 5}, ["I12"]),
        (4, {"crashes": 0, "causes": ["lost"] * 5}, []),
    ],
)
def test_a_poisoned_job_has_killed_as_often_as_its_letter_says(
    story: Story, cut: int, letter: dict[str, Any], wrong: list[str]
) -> None:
    jid = story.push("noop")
    for attempt in range(cut):
        story.evidence.deaths[attempt].append(ns(attempt + 1.5))
        story.run(jid, "noop", attempt + 1, None, attempt=attempt + 1, pid=attempt)
    story.final["dead"] = {jid: letter}
    assert rules(story) == wrong


def test_a_job_that_has_simply_succeeded_is_not_dead(story: Story) -> None:
    jid = story.push("noop")
    story.run(jid, "noop", 1, 2)
    story.final["dead"] = {jid: {"crashes": 3, "causes": []}}
    assert rules(story) == ["I12"]


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


@pytest.mark.parametrize(
    ("off", "at", "by_s", "excused"),
    [(0, 5, -30, True), (1, 5, -30, False), (0, 25, -30, False), (0, 5, -1, False)],
    ids=["then and there", "in another slot", "later", "by less"],
)
def test_a_clock_that_was_not_right_excuses_as_much_at_its_own_slots(
    story: Story, off: int, at: float, by_s: int, excused: bool
) -> None:
    early, late = story.push("delayed", due=10), story.push("expires", expires=5)
    story.run(early, "delayed", 8, 9)
    story.run(late, "expires", 20, 21)
    assert rules(story) == ["I5", "I7"]
    slots = [[slot_of(early) + off] * 2]
    story.evidence.read_record(
        [
            {"what": "stepped a clock", "at_ns": ns(at), "node": "a", "by_s": by_s, "slots": slots},
            {"what": "put a clock right", "at_ns": ns(at + 2), "node": "a", "slots": slots},
            {"what": "strike", "at_ns": 0, "name": "step a clock", "begin_ns": ns(0), "end_ns": ns(21)},
        ]
    )
    assert rules(story) == ([] if excused else ["I5", "I7"])


@pytest.mark.parametrize(
    ("pid", "from_s", "until_s", "excused"),
    [(1, 4, 19, True), (2, 4, 19, False), (1, 4, 9, False)],
    ids=["it stood still", "another did", "it went on long before"],
)
def test_what_was_claimed_in_time_may_begin_as_late_as_its_worker_stood_still(
    story: Story, pid: int, from_s: float, until_s: float, excused: bool
) -> None:
    story.run(story.push("expires", expires=5, extra="5000"), "expires", 20, 21, pid=1)
    story.evidence.strikes.append(Strike("kill a worker", ns(6), ns(6)))
    story.evidence.hindered[pid].append((ns(from_s), ns(until_s)))
    assert rules(story) == ([] if excused else ["I7"])


@pytest.mark.parametrize(("begin", "rule"), [(2, []), (60, ["I2"])], ids=["then", "much later"])
def test_a_cancel_that_a_failover_took_along_is_none(story: Story, begin: float, rule: list[str]) -> None:
    jid = story.push("unwanted", how="U")
    story.pushes.append(f"C {ns(1)} {jid}")
    story.run(jid, "unwanted", begin + 0.5, begin + 1)
    story.evidence.failovers.append((ns(begin), ((slot_of(jid), slot_of(jid)),)))
    assert rules(story) == rule


@pytest.mark.parametrize(("extra", "rule"), [("20", ["I7"]), ("2000", []), ("-", [])])
def test_an_expiring_job_may_wait_as_long_as_its_push_said(story: Story, extra: str, rule: list[str]) -> None:
    """Counted from its arrival: before it the producer may have waited for a server."""
    jid = story.push("expires", 10, expires=7, extra=extra)
    story.run(jid, "expires", 13.9, 14)
    assert rules(story) == rule


def test_what_was_cancelled_does_not_run(story: Story) -> None:
    jid = story.push("unwanted")
    story.pushes.append(f"C {ns(1)} {jid}")
    assert (rules(story), story.check().sorts["cancelled"]) == ([], 1)
    story.run(jid, "unwanted", 2, 3)
    assert rules(story) == ["I2"]
