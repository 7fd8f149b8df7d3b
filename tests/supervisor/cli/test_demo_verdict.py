"""The demo's judgement: it must see everything that can be wrong."""

from dataclasses import replace
from typing import Any

import pytest

from gangerd.demo.story import chapters, harvest
from gangerd.demo.verdict import Outcome, judge


def crash(jid: str, cause: str, attempt: int, at_ms: int) -> dict[str, Any]:
    return {
        "jid": jid,
        "cause": cause,
        "attempt": attempt,
        "at_ms": at_ms,
        "ran_ms": 100,
        "type": f"demo.{jid}",
    }


CRASHES = [
    crash("s", "segfault", 2, 2300),
    crash("m", "oom_kill", 2, 2200),
    crash("h", "timeout", 2, 2100),
    crash("h", "timeout", 1, 1200),
    crash("m", "memory_limit", 1, 1100),
    crash("s", "segfault", 1, 1000),
]
GOOD = Outcome(
    files=3,
    indexed=[0, 2, 1],
    saboteurs={"segfault": "s", "eat_memory": "m", "hang": "h"},
    crashes=CRASHES,
    dead=["s", "m", "h"],
    totals={"enqueued": 6, "succeeded": 3, "retried": 3, "dead": 3},
    left=0,
)


def test_all_as_it_should_be() -> None:
    assert judge(GOOD) == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"indexed": [0, 1]}, "1 of 3 files were never indexed"),
        ({"indexed": [0, 1, 2, 2]}, "1 files were indexed more than once"),
        ({"crashes": CRASHES[1:]}, "segfault killed 1 workers"),
        (
            {"crashes": [crash("s", "killed", 2, 3), *CRASHES[1:]]},
            "segfault is said to have died of killed",
        ),
        ({"crashes": [crash("x", "exit", 1, 3), *CRASHES]}, "blamed on innocent jobs, the first on demo.x"),
        ({"dead": ["s", "m"]}, "hang is not among the dead letters"),
        ({"totals": {**GOOD.totals, "succeeded": 2}}, "2 jobs are counted as succeeded, and 3 should be"),
        ({"left": 2}, "2 jobs are still in the queue"),
    ],
)
def test_each_thing_that_can_be_wrong(change: dict[str, Any], sentence: str) -> None:
    found = judge(replace(GOOD, **change))
    assert len(found) == 1
    assert sentence in found[0]


def test_the_story_tells_what_followed_each_death() -> None:
    told = [(name, crash["attempt"], then) for crash, name, then in chapters(GOOD)]
    assert told == [
        ("segfault", 1, "retried after 1.2 s"),
        ("eat_memory", 1, "retried after 1.0 s"),
        ("hang", 1, "retried after 0.8 s"),
        ("hang", 2, "retries used up: dead letter"),
        ("eat_memory", 2, "retries used up: dead letter"),
        ("segfault", 2, "retries used up: dead letter"),
    ]


def test_the_harvest_is_a_sum() -> None:
    lines: list[dict[str, Any]] = [
        {"lines": 3, "functions": 1, "classes": 2},
        {"lines": 4, "unparsable": "SyntaxError"},
    ]
    assert harvest(lines) == {"lines": 7, "functions": 1, "classes": 2, "unparsable": 1}
