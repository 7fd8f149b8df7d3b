"""The rules about when: each finds what it is about, and believes what it must."""

import pytest

from chaos.checker import Final, Findings
from chaos.kinds import BY_NAME
from chaos.story import WALL_MS, Story, ns
from chaos.timing import check_timing
from ganger import jid as jids


def wrong(story: Story, span: tuple[float, float] = (0, 0), **final: object) -> list[tuple[str, str]]:
    """(rule, text) of what is found; hosts served, and producers pushed, from the one to the other."""
    found, (begin, end) = Findings(), span
    check_timing(found, story.read(), story.evidence, Final(**final), (ns(begin), ns(end)))  # type: ignore[arg-type]
    return [(each.rule, each.text) for each in found.violations]


def minted(kind: str) -> str:
    """The jid of a job that no producer names beforehand."""
    return jids.mint(BY_NAME[kind].queue, 1)[0]


# ---- ticks ---------------------------------------------------------------------------------------------


def ticking(story: Story, *minutes: float) -> None:
    """A job of each of these ticks runs, a second late."""
    for minute in minutes:
        jid = minted("ticks")
        story.run(jid, "ticks", minute * 60 + 1, minute * 60 + 2, extra=str(int(WALL_MS + minute * 60_000)))


def test_each_minute_becomes_a_job() -> None:
    story = Story()
    ticking(story, 1, 2, 3)
    assert wrong(story, (10, 200)) == []
    assert wrong(story, (10, 244)) == []
    assert wrong(story, (10, 246)) == [("I10", f"tick {WALL_MS + 240_000} became no job that ran")]


def test_a_minute_that_is_left_out_is_found() -> None:
    story = Story()
    ticking(story, 1, 3)
    assert wrong(story, (10, 200)) == [("I10", f"tick {WALL_MS + 120_000} became no job that ran")]


def test_a_tick_whose_job_is_a_dead_letter_never_ran_for_a_reason() -> None:
    story = Story()
    ticking(story, 1, 3)
    story.evidence.fired.append((WALL_MS + 120_000, "its job", ns(121)))
    assert wrong(story, (10, 200), dead={"its job": {}}) == []
    assert len(wrong(story, (10, 200))) == 1


# ---- batches -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "right"),
    [
        ([f"W {ns(4)} b-1", f"M {ns(9)} b-1"], True),
        ([f"W {ns(4)} b-1"], True),
        ([f"W {ns(6)} b-1", f"M {ns(9)} b-1"], False),
        ([f"W {ns(4)} b-2", f"M {ns(9)} b-2"], False),
        ([], False),
    ],
)
def test_no_callback_comes_before_its_batch_may_be_committed(lines: list[str], right: bool) -> None:
    story = Story()
    story.pushes += lines
    story.run(minted("all_ended"), "all_ended", 5, 6, extra="b-1")
    assert (wrong(story) == []) is right


# ---- retries -------------------------------------------------------------------------------------------


def retried(after: float, *, second: bool = False) -> Story:
    """A job that fails at 2 and begins again so much later; `second`: its first ran anew meanwhile."""
    story = Story()
    jid = story.push("flaky", 0)
    story.run(jid, "flaky", 1, 2, ok=False)
    if second:
        story.run(jid, "flaky", 2.1, 2.2, ok=False, pid=2)
    story.run(jid, "flaky", 2 + after, 3 + after, attempt=2, pid=3)
    return story


def test_a_retry_waits_as_long_as_its_kind_says() -> None:
    assert wrong(retried(0.3)) == wrong(retried(0.297)) == wrong(retried(9)) == []
    assert wrong(retried(0.2)) == [("I5", "flaky: attempt 2 began 100 ms before it was due")]
    assert wrong(retried(0.3, second=True)) == []


def test_what_its_worker_died_of_goes_back_at_once() -> None:
    story = Story()
    jid = story.push("flaky", 0)
    story.run(jid, "flaky", 1, None)
    story.run(jid, "flaky", 1.01, 2, attempt=2, pid=2)
    assert wrong(story) == []


# ---- passed by -----------------------------------------------------------------------------------------


def passed(until: float, kind: str = "noop", other: int = 3) -> Story:
    """A job that began then, while one that came behind it began at 12."""
    story = Story()
    story.run(story.push(kind, 10), kind, until, until + 1)
    story.run(story.push(kind, 11, partition=other), kind, 12, 13, pid=2)
    return story


def test_who_waits_begins_before_those_behind_it() -> None:
    text = "for 61 s others began that came later, and no judge had to begin anew"
    assert wrong(passed(71)) == []
    assert wrong(passed(73)) == [("I11", text)]
    assert wrong(passed(73, other=4)) == [], "another partition is another line"
    assert wrong(passed(73, "narrow")) == [], "jobs of a limited queue wait for permits"


def test_a_new_leader_and_a_failover_of_its_slot_begin_the_wait_anew() -> None:
    for at, right in ((30, True), (72.5, False), (100, False)):
        story = passed(73)
        story.evidence.events["leader.won"].append(ns(at))
        assert (wrong(story) == []) is right
    for slots, right in (((0, 16383), True), ((1, 0), False)):
        story = passed(73)
        story.evidence.failovers.append((ns(30), (slots,)))
        assert (wrong(story) == []) is right
