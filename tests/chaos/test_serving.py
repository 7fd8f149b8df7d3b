"""What may not begin in a paused queue, and who may not be passed over: each planted, beside the same history
without it."""

import pytest

from chaos.evidence import S, Strike, slot_of
from chaos.kinds import NAMESPACE, PARTITIONS
from chaos.pauses import FOR_EVER_NS, NAME, Pause, promised, read_pauses
from chaos.story import Story, ns, rules
from ganger.keys import Control

EVERY = range(PARTITIONS)


@pytest.fixture
def story() -> Story:
    return Story()


def paused(story: Story, queue: str, asked: float, until: float, reached: range = EVERY) -> None:
    """Answered a tenth of a second after it was asked for."""
    story.evidence.pauses.append(
        Pause(queue, ns(asked), ns(asked + 0.1), frozenset(reached), ns(until), ns(until + 0.1))
    )


# ---- I9 ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["noop", "flaky"])
@pytest.mark.parametrize(
    ("begin", "wrong"),
    [(9, []), (12, []), (14, ["I9"]), (18, ["I9"]), (20.1, []), (25, [])],
    ids=["before", "in flight", "in it", "at its end", "asked to go on", "afterwards"],
)
def test_nothing_begins_in_a_paused_queue(story: Story, kind: str, begin: float, wrong: list[str]) -> None:
    paused(story, "bulk" if kind == "noop" else "odd", 10, 20)
    paused(story, "due", 0, 30)
    story.run(story.push(kind, 8), kind, begin, begin + 0.1)
    assert rules(story) == wrong


def test_each_run_counts_also_one_too_many(story: Story) -> None:
    paused(story, "bulk", 10, 20)
    jid = story.push("noop", 8)
    story.run(jid, "noop", 9, 9.1, pid=1)
    story.evidence.deaths[1].append(ns(9.2))
    story.run(jid, "noop", 15, 15.1, pid=2)
    assert rules(story) == ["I9"]


def test_a_pause_that_was_not_answered_promises_nothing_nor_of_what_it_did_not_reach(story: Story) -> None:
    story.evidence.pauses.append(Pause("bulk", ns(10)))
    story.run(story.push("noop", 8), "noop", 15, 16)
    paused(story, "bulk", 30, 40, reached=range(3))
    story.run(story.push("noop", 28, partition=3), "noop", 35, 36)
    assert rules(story) == []
    story.run(story.push("noop", 28, partition=2), "noop", 35, 36)
    assert rules(story) == ["I9"]


@pytest.mark.parametrize(
    ("of_control", "off", "at", "wrong"),
    [
        (False, 0, 13, []),
        (False, 1, 13, ["I9"]),  # other slots
        (False, 0, 1, ["I9"]),  # long before
        (False, 0, 16, ["I9"]),  # afterwards
        (True, 0, 13, []),  # the wish itself was lost
    ],
)
def test_a_failover_that_lost_the_pause_explains(
    story: Story, of_control: bool, off: int, at: float, wrong: list[str]
) -> None:
    paused(story, "bulk", 10, 20)
    jid = story.push("noop", 8)
    story.run(jid, "noop", 15, 15.1)
    slot = (Control(NAMESPACE).slot if of_control else slot_of(jid)) + off
    story.evidence.failovers.append((ns(at), ((slot, slot),)))
    assert rules(story) == wrong


@pytest.mark.parametrize(
    ("of_control", "until", "wrong"),
    [(False, 10, []), (True, 10, []), (False, 6, ["I9"])],
    ids=["the partition's", "the wish's", "it had heard of it long since"],
)
def test_an_old_primary_that_heard_the_pause_explains(
    story: Story, of_control: bool, until: float, wrong: list[str]
) -> None:
    paused(story, "bulk", 10, 20)
    jid = story.push("noop", 8)
    story.run(jid, "noop", 15, 15.1)
    slot = Control(NAMESPACE).slot if of_control else slot_of(jid)
    story.evidence.away.append((ns(2), ns(until), ((slot, slot),)))
    assert rules(story) == ["I9"]
    story.evidence.failovers.append((ns(3), ((slot, slot),)))
    assert rules(story) == wrong


HINDRANCES = [
    ({"what": "stop", "of": "worker of north", "pid": 7, "for_s": 3.0}, []),
    ({"what": "stop", "of": "worker of north", "pid": 8, "for_s": 3.0}, ["I9"]),
    ({"what": "stop", "of": "worker of north", "pid": 7, "for_s": 0.5, "at": 1}, ["I9"]),
    ({"what": "stop", "of": "all of north", "pids": [7], "for_s": 3.0}, []),
    ({"what": "stop", "of": "all of south", "pids": [8], "for_s": 3.0}, ["I9"]),
    ({"what": "deafen a host", "host": 0, "for_s": 3.0}, []),
    ({"what": "deafen a host", "host": 1, "for_s": 3.0}, ["I9"]),
    ({"what": "kill", "of": "coordinator of north", "killed": [3]}, []),
    ({"what": "kill", "of": "scheduler of north", "killed": [3]}, ["I9"]),
    ({"what": "stop", "of": "scheduler of north", "pid": 3, "for_s": 3.0}, ["I9"]),
    ({"what": "reload", "of": "north"}, []),
    ({"what": "freeze a node", "node": "a", "for_s": 3.0, "slots": []}, ["I9"]),
    ({"what": "strike", "name": "kill a worker", "begin_ns": ns(9), "end_ns": ns(14)}, ["I9"]),
    ({"what": "stood still", "begin_ns": ns(11), "end_ns": ns(14)}, []),
]


@pytest.mark.parametrize(("note", "wrong"), HINDRANCES)
def test_what_held_up_this_worker_explains(story: Story, note: dict[str, object], wrong: list[str]) -> None:
    story.evidence.read_record([note | {"at_ns": ns(float(str(note.get("at", 11))))}])
    story.evidence.read_log([{"event": "worker.ready", "child": 7, "at_ns": ns(0)}], "north")
    paused(story, "bulk", 10, 20)
    story.run(story.push("noop", 8), "noop", 15, 15.1, pid=7)
    assert rules(story) == wrong


def test_pauses_are_read_from_the_record() -> None:
    def note(at_s: int, what: str, **more: object) -> dict[str, object]:
        return {"at_ns": at_s * S, "what": what, "queue": "due", **more}

    notes = [
        note(1, "resumed a queue"),
        note(2, "pauses a queue"),
        note(3, "paused a queue", reached=[0, 2]),
        note(4, "resumes a queue"),
        note(5, "resumes a queue"),
        note(6, "resumed a queue"),
        note(7, "pauses a queue"),
        note(8, "resumes a queue"),
        note(9, "resumed a queue"),
        note(15, "resumes a queue"),
        note(16, "resumed a queue"),
        note(20, "pauses a queue"),
        note(21, "paused a queue", reached=[]),
    ]
    found = read_pauses(notes)
    assert found == [
        Pause("due", 2 * S, 3 * S, frozenset({0, 2}), 4 * S, 6 * S),
        Pause("due", 7 * S, 0, frozenset(), 8 * S, 16 * S),
        Pause("due", 20 * S, 21 * S),
    ]
    assert promised(found) == {"due": [(3 * S, 4 * S), (21 * S, FOR_EVER_NS)]}


def test_a_pause_is_no_harm_that_excuses_a_lease(story: Story) -> None:
    about = {"what": "strike", "name": NAME, "at_ns": ns(9), "begin_ns": ns(1), "end_ns": ns(9)}
    story.evidence.read_record([about])
    story.evidence.judged[story.push("noop", how="")].append(ns(5))
    assert rules(story) == ["I3"]


# ---- I11 -----------------------------------------------------------------------------------------------


def served(story: Story, kind: str, *begins: float) -> None:
    for begin in begins:
        story.run(story.push(kind, begin - 0.05), kind, begin, begin + 0.01, pid=5)


def others(story: Story, first: float, last: float) -> None:
    """Work of another queue, in each tenth of a second."""
    served(story, "kept", *(first + n / 10 for n in range(int((last - first) * 10))))


def test_a_queue_that_is_passed_over_while_nothing_is_struck_starves(story: Story) -> None:
    others(story, 0, 20)
    served(story, "noop", 1, 7, 13)
    story.run(story.push("noop", 13.5), "noop", 18, 19)
    assert rules(story) == []
    story.run(story.push("noop", 1.2), "noop", 7.1, 7.2)
    found = story.check()
    assert [each.text for each in found.violations] == [
        "queue bulk: with nothing struck a job waited while others were served for 6 s"
    ]


def waits(story: Story, kind: str = "noop", due: float = 0) -> None:
    """It is ready at 1 s, or when it is due, and begins at 15 s; others are served all the while."""
    others(story, 0, 20)
    served(story, kind, 0.5)
    story.run(story.push(kind, 1, due=due), kind, 15, 15.1)


def test_what_is_not_due_does_not_wait(story: Story) -> None:
    waits(story, "delayed", due=14)
    assert rules(story) == []


def test_what_is_due_does(story: Story) -> None:
    waits(story, "delayed", due=3)
    assert rules(story) == ["I11"]


def test_one_that_may_not_have_been_there_does_not_wait(story: Story) -> None:
    others(story, 0, 20)
    story.run(story.push("noop", 1, how="U"), "noop", 15, 15.1)
    story.run(story.push("unwanted", 1), "unwanted", 15, 15.1)
    assert rules(story) == []


def test_a_cluster_that_serves_nobody_passes_over_nobody(story: Story) -> None:
    others(story, 0, 3)
    others(story, 14, 20)
    served(story, "noop", 0.5)
    story.run(story.push("noop", 1), "noop", 15, 15.1)
    assert rules(story) == []


@pytest.mark.parametrize(
    ("until", "wrong"), [(14.5, []), (4, ["I11"])], ids=["nearly all the time", "a little of it"]
)
def test_a_paused_queue_is_not_passed_over(story: Story, until: float, wrong: list[str]) -> None:
    story.evidence.pauses.append(Pause("bulk", ns(0.8), over_ns=ns(until - 5)))
    waits(story)
    assert rules(story) == wrong


def test_a_limited_queue_may_stand_still_for_want_of_servers(story: Story) -> None:
    waits(story, "narrow")
    assert rules(story) == ["I11"]
    log = [
        {"event": "limits.stand_still", "queue": "narrow", "at_ns": ns(0.5)},
        {"event": "role.started", "role": "scheduler", "at_ns": ns(1)},
        {"event": "limits.back", "queue": "narrow", "at_ns": ns(10)},
    ]
    story.evidence.read_log(log, "north")
    assert rules(story) == []


def test_a_new_coordinator_must_say_itself_that_a_queue_stands_still(story: Story) -> None:
    waits(story, "narrow")
    log = [
        {"event": "limits.stand_still", "queue": "narrow", "at_ns": ns(0.5)},
        {"event": "role.started", "role": "coordinator", "at_ns": ns(2)},
    ]
    story.evidence.read_log(log, "north")
    assert rules(story) == ["I11"]


def test_under_fire_it_takes_longer_to_starve(story: Story) -> None:
    story.evidence.strikes.append(Strike("kill a worker", ns(0), ns(70)))
    others(story, 0, 72)
    served(story, "noop", 0.5)
    story.run(story.push("noop", 1), "noop", 60, 60.1)
    assert rules(story) == []
    story.run(story.push("flaky", 1), "flaky", 70, 70.1)
    assert [each.text for each in story.check().violations] == [
        "queue odd: a job waited while others were served for 69 s"
    ]
