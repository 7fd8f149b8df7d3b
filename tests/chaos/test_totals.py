"""Counters that say something else than the history, each planted beside one that does not."""

from typing import Any

import pytest

from chaos.evidence import slot_of
from chaos.story import Story, ns, rules
from ganger import jid as jids


@pytest.fixture
def story() -> Story:
    return Story()


def said(story: Story, queue: str, **counters: int) -> list[str]:
    story.final["counters"] = {queue: counters}
    return [rule for rule in rules(story) if rule != "I1"]


def failover(story: Story, jid: str, at: float) -> None:
    story.evidence.failovers.append((ns(at), ((slot_of(jid), slot_of(jid)),)))


def test_what_came_in_and_how_it_ended(story: Story) -> None:
    story.run(story.push("noop"), "noop", 1, 2)
    assert said(story, "bulk", enqueued=1, succeeded=1) == []
    assert said(story, "bulk", enqueued=2, succeeded=2) == ["I13"]
    assert said(story, "bulk", enqueued=1, expired=1) == ["I13"]
    assert said(story, "bulk", enqueued=1, succeeded=0) == ["I13"]
    assert said(story, "bulk", enqueued=1, exhausted=1) == ["I13"]
    assert said(story, "bulk", enqueued=1, succeeded=1, skipped=1, replayed=1) == ["I13"]
    assert said(story, "bulk", enqueued=1, succeeded=0, dead=1) == ["I12", "I13"]
    story.final["left"] = {"bulk": 1}
    assert said(story, "bulk", enqueued=1, succeeded=1) == ["I13", "I14"]


def test_of_an_unknown_push_nobody_knows_whether_it_came_in(story: Story) -> None:
    jid = story.push("noop", how="U")
    story.run(story.push("noop"), "noop", 1, 2)
    assert said(story, "bulk", enqueued=1, succeeded=1) == []
    assert said(story, "bulk", enqueued=2, succeeded=2) == ["I13"], "it has not run"
    story.run(jid, "noop", 3, 4)
    assert said(story, "bulk", enqueued=2, succeeded=2) == []
    assert said(story, "bulk", enqueued=1, succeeded=1) == ["I13"]
    failover(story, jid, 3.5)
    assert said(story, "bulk", enqueued=1, succeeded=1) == []
    assert said(story, "bulk", enqueued=2, succeeded=2) == []


@pytest.mark.parametrize(
    ("kind", "about", "end"),
    [("expires", {"expires": 3}, "expired"), ("unwanted", {"due": 9}, "cancelled")],
)
def test_what_never_ran_did_not_succeed(story: Story, kind: str, about: dict[str, Any], end: str) -> None:
    jid = story.push(kind, 0.5, **about)
    if end == "cancelled":
        story.pushes.append(f"C {ns(1)} {jid}")
    assert said(story, "due", enqueued=1, **{end: 1}) == []
    assert said(story, "due", enqueued=1, succeeded=1) == ["I13"]


def test_a_cancel_that_a_failover_undid_is_counted_either_way(story: Story) -> None:
    jid = story.push("unwanted", 0.5, due=9)
    story.pushes.append(f"C {ns(1)} {jid}")
    story.run(jid, "unwanted", 9, 10)
    for end in ("cancelled", "succeeded"):
        assert "I13" not in said(story, "due", enqueued=1, **{end: 1})
    assert "I13" in said(story, "due", enqueued=1, expired=1)


def test_what_succeeded_expired_only_where_it_may_have_come_back(story: Story) -> None:
    jid = story.push("expires", 0.5, expires=3)
    story.run(jid, "expires", 1, 2)
    story.run(story.push("noop"), "noop", 1, 2)
    assert said(story, "due", enqueued=1, succeeded=1) == []
    assert said(story, "due", enqueued=1, expired=1) == ["I13"]
    failover(story, jid, 2.5)
    assert said(story, "due", enqueued=1, expired=1) == []
    assert said(story, "due", enqueued=1, succeeded=1) == []


def test_the_exhausted_are_those_that_never_succeed(story: Story) -> None:
    jid = story.push("hopeless")
    for attempt in (1, 2):
        story.run(jid, "hopeless", attempt, attempt + 0.1, ok=False, attempt=attempt)
    assert said(story, "odd", enqueued=1, exhausted=1) == []
    assert said(story, "odd", enqueued=1, succeeded=1) == ["I13"]


def test_dead_letters_are_counted(story: Story) -> None:
    jid = story.push("doomed")
    for attempt in (1, 2):
        story.run(jid, "doomed", attempt, attempt + 0.1, ok=False, attempt=attempt)
    story.final["dead"] = {jid: {"crashes": 0, "causes": ["exception"] * 2}}
    assert said(story, "odd", enqueued=1, dead=1) == []
    assert said(story, "odd", enqueued=2, dead=2, revived=1) == ["I12", "I13"]
    assert said(story, "odd", enqueued=1, exhausted=1) == ["I12", "I13"]


def test_what_is_replayed_succeeds_once_more(story: Story) -> None:
    jid = story.push("kept")
    story.run(jid, "kept", 1, 2, pid=1)
    story.run(jid, "kept", 11, 12, pid=2)
    story.evidence.replays.append((ns(10), ns(10.5), "kept"))
    story.final["replayed"] = 1
    assert said(story, "kept", enqueued=1, replayed=1, succeeded=2) == []
    assert said(story, "kept", enqueued=1, replayed=1, succeeded=1, expired=1) == ["I13"]


def test_a_tick_when_all_was_drained_may_have_come_after_the_counters_were_read(story: Story) -> None:
    (jid,) = jids.mint("due", 3)
    story.run(jid, "ticks", 20, 20.1)
    assert said(story, "due", enqueued=0) == ["I13"]
    story.evidence.drained_ns = ns(15)
    assert said(story, "due", enqueued=0) == []
    assert said(story, "due", enqueued=1, succeeded=1) == []
