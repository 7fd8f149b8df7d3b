"""Each rule about many jobs with a violation planted, beside the same history without it."""

from collections.abc import Sequence

import pytest

from chaos.evidence import Evidence, Strike, slot_of
from chaos.kinds import BY_NAME
from chaos.story import Story, ns, rules
from ganger import jid as jids


@pytest.fixture
def story() -> Story:
    return Story()


def test_of_unique_jobs_the_next_comes_in_after_the_end_of_the_last(story: Story) -> None:
    one, two = story.push("single", 0, extra=7), story.push("single", 2, extra=7)
    story.run(two, "single", 4, 5)
    story.run(one, "single", 0.5, 1.9)
    assert rules(story) == []
    story.run(story.push("single", 4.5, extra=7), "single", 6, 7)
    story.run(story.push("single", 1, extra=8), "single", 6, 7)
    assert rules(story) == ["I6"]


def test_of_unique_jobs_one_whose_answer_was_heard_late_had_come_in_before_its_end(story: Story) -> None:
    one = story.push("single", 0, heard=4.1, extra=7)
    story.run(one, "single", 2, 3)
    story.run(story.push("single", 4, extra=7), "single", 4, 5)
    assert rules(story) == []
    story.run(story.push("single", 4.5, heard=5.5, extra=7), "single", 4.6, 4.8, pid=3)
    assert rules(story) == ["I6"]


def narrow(story: Story, *spans: Sequence[float]) -> None:
    for pid, (begin, end) in enumerate(spans):
        story.run(story.push("narrow"), "narrow", begin, end, pid=pid)


def test_more_than_the_limit_at_once_is_wrong_unless_one_had_lost_its_own_permit(story: Story) -> None:
    narrow(story, (1, 3), (1, 3), (1, 3), (3, 4))
    assert rules(story) == []
    narrow(story, (10, 12), (10, 12), (10, 12), (11, 12))
    assert rules(story) == ["I8"]
    story.evidence.permits_lost[77].append(ns(11))  # another's
    story.evidence.permits_lost[2] += [ns(9), ns(25)]  # of another run
    assert rules(story) == ["I8"]
    story.evidence.permits_lost[2].append(ns(11.5))
    found = story.check()
    assert (found.violations, found.sorts["beyond the limit, explained"]) == ([], 1)


def test_a_clock_of_the_cluster_is_none_of_the_limits(story: Story) -> None:
    narrow(story, *[(100 + n / 100, 100.4) for n in range(6)])
    story.evidence.strikes.append(Strike("step a clock", ns(80), ns(99)))
    assert rules(story) == ["I8"]


@pytest.mark.parametrize(
    ("begin", "stopped", "count", "wrong"),
    [
        (1, "", [], ["I8"]),
        (1, "its host", [], []),
        (1, "its process", [], []),
        (1, "another host", [], ["I8"]),
        (15, "its host", [], ["I8"]),
        (1, "its host", [(20, 21)], ["I8"]),
    ],
    ids=["for no reason", "host", "process", "another", "not for long", "one too many beside it"],
)
def test_who_stood_still_may_be_beside_the_limit(
    story: Story, begin: float, stopped: str, count: list[tuple[float, float]], wrong: list[str]
) -> None:
    narrow(story, (begin, 22), (20, 21), (20, 21), (20, 21), *count)
    story.evidence.born[0].append((ns(0), "north"))
    names: dict[str, str | int] = {"its host": "north", "its process": 0, "another host": "south"}
    if stopped in names:
        story.evidence.hindered[names[stopped]].append((ns(2), ns(19)))
    assert rules(story) == wrong


def test_a_permit_is_lost_by_the_worker_that_the_log_names() -> None:
    evidence = Evidence()
    about = {"at_ns": ns(1), "queue": "narrow"}
    evidence.read_log(
        [
            {"event": "worker.ready", "worker": "aa", "child": 5, **about},
            {"event": "worker.ready", "worker": "bb", "child": 6, **about},
            {"event": "limits.permit_lost", "worker": "bb", **about},
        ],
        "north",
    )
    assert evidence.permits_lost == {6: [ns(1)]}


def test_a_run_that_began_after_its_death_was_told_excuses_nothing(story: Story) -> None:
    story.evidence.deaths[9].append(ns(0.9))
    cut = story.push("narrow")
    story.run(cut, "narrow", 1, None, pid=9)
    story.run(cut, "narrow", 5, 6, pid=8, attempt=2)
    narrow(story, (20, 22), (20, 22), (20, 22), (21, 22))
    assert rules(story) == ["I8"]


def test_a_run_that_was_cut_short_counts_until_its_death(story: Story) -> None:
    story.evidence.deaths[9].append(ns(2))
    cut = story.push("narrow")
    story.run(cut, "narrow", 1, None, pid=9)
    story.run(cut, "narrow", 5, 6, pid=8, attempt=2)
    narrow(story, (1, 3), (1, 3), (2.1, 3))
    assert rules(story) == []
    narrow(story, (1.5, 3), (1.5, 3))
    assert rules(story) == ["I8"]


def batch(story: Story, bid: str, *, complete: float, success: float) -> None:
    story.run(story.push("member", extra=bid), "member", 1, 2, pid=1)
    story.pushes.append(f"M {ns(1)} {bid}")
    for kind, begin in (("all_ended", complete), ("all_succeeded", success)):
        if begin:
            (jid,) = jids.mint(BY_NAME[kind].queue, 1)
            story.run(jid, kind, begin, begin + 1, pid=2, extra=bid)


@pytest.mark.parametrize(
    ("complete", "success", "wrong"),
    [(3, 5, []), (1.5, 5, ["I10"]), (3, 3.5, ["I10"]), (3, 0, ["I10"]), (0, 0, ["I10"])],
)
def test_callbacks_come_once_and_in_order(
    story: Story, complete: float, success: float, wrong: list[str]
) -> None:
    batch(story, "b-1", complete=complete, success=success)
    assert rules(story) == wrong


def test_two_callbacks_of_one_batch_or_two_jobs_of_one_tick_are_wrong(story: Story) -> None:
    batch(story, "b-1", complete=3, success=5)
    story.run(jids.mint(BY_NAME["all_ended"].queue, 1)[0], "all_ended", 3, 4, pid=7, extra="b-1")
    assert rules(story) == ["I10"]
    for _ in range(2):
        story.run(jids.mint(BY_NAME["ticks"].queue, 1)[0], "ticks", 8, 9, pid=8, extra="60000")
    assert [each.text for each in story.check().violations if "tick" in each.text]


def test_a_replay_runs_what_had_ended_once_more(story: Story) -> None:
    jid = story.push("kept")
    story.run(jid, "kept", 1, 2, pid=1)
    story.run(jid, "kept", 11, 12, pid=2)
    assert rules(story) == ["I3"]
    story.evidence.replays.append((ns(10), ns(10.5), "kept"))
    story.final["replayed"] = 1
    assert rules(story) == []
    story.run(story.push("kept"), "kept", 3, 4, pid=3)
    assert rules(story) == ["I15"]
    story.final["replayed"] = 2
    assert rules(story) == ["I15"]


@pytest.mark.parametrize(("how", "wrong"), [("U", []), ("A", ["I15"])])
def test_what_nobody_was_promised_may_be_gone_before_the_replay(
    story: Story, how: str, wrong: list[str]
) -> None:
    jid = story.push("kept", how=how)
    story.run(jid, "kept", 1, 2)
    slot = slot_of(jid)
    story.evidence.failovers.append((ns(3), ((slot, slot),)))
    story.evidence.replays.append((ns(60), ns(60.5), "kept"))
    story.final["replayed"] = 0
    assert [rule for rule in rules(story) if rule == "I15"] == wrong


@pytest.mark.parametrize(
    ("partition", "pushed", "begun", "struck", "wrong"),
    [
        (3, 1, 2, "", ["I7"]),
        (4, 1, 2, "", []),
        (3, 0.05, 2, "", []),
        (3, 1, 2.995, "", []),
        (3, 1, 2, "kill a worker", []),
        (3, 1, 2, "step a clock", []),
        (3, 1, 2, "kill a semaphore server", ["I7"]),
    ],
    ids=["passed over", "elsewhere", "not after it", "just so", "in a hand", "clock", "others"],
)
def test_what_expires_is_not_passed_over(
    story: Story, partition: int, pushed: float, begun: float, struck: str, wrong: list[str]
) -> None:
    story.push("expires", 0.1, expires=3)
    story.run(story.push("single", pushed, partition=partition, extra=5), "single", begun, begun + 0.1)
    if struck:
        story.evidence.strikes.append(Strike(struck, ns(0.5), ns(0.5)))
    assert rules(story) == wrong


def test_who_has_long_to_live_runs(story: Story) -> None:
    jid = story.push("expires", expires=600, extra=600_000)
    story.push("expires", expires=2, extra=2_000)
    assert rules(story) == ["I7"]
    story.run(jid, "expires", 1, 2)
    found = story.check()
    assert found.violations == [] and found.sorts["expired, nothing struck"] == 1
    story.evidence.strikes.append(Strike("flush scripts", ns(-5), ns(-5)))
    assert story.check().sorts["expired, nothing struck"] == 0


def test_a_batch_that_has_told_all_is_not_looked_at_for_ever(story: Story) -> None:
    batch(story, "b-1", complete=3, success=5)
    story.final["live_batches"] = ["b-2"]
    assert rules(story) == [], "it was never committed"
    story.final["live_batches"] = ["b-1"]
    assert rules(story) == ["I14"]


def test_a_leak_is_a_violation(story: Story) -> None:
    story.final["leaks"] = ["3 leases"]
    assert rules(story) == ["I14"]
