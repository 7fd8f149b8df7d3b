"""What is due, and what becomes of missed ticks: a table of cases."""

from datetime import datetime

import pytest

from ganger.cron.due import MAX_COUNTED, MAX_STEPS, Step, steps
from ganger.cron.expression import Schedule

HOURLY = Schedule("0 * * * *")
MINUTELY = Schedule("* * * * *")
HOUR_MS = 3_600_000


def ms(text: str) -> int:
    return int(datetime.fromisoformat(f"2031-05-01T{text}+00:00").timestamp() * 1000)


def step(tick: str, fires: bool = True, missed: int = 0) -> Step:
    return Step(ms(tick), fires, missed)


# (policy, window in ms, covered, now) -> steps of an hourly schedule
CASES = {
    "nothing is due": (("once", None, "08:00:00", "08:59:59"), []),
    "a tick": (("once", None, "08:00:00", "09:00:00"), [step("09:00:00")]),
    "covered to the very tick": (("all", None, "09:00:00", "09:00:00"), []),
    "covered is ahead of the clock": (("all", None, "11:00:00", "09:00:00"), []),
    "skip: on time": (("skip", None, "08:00:00", "09:01:00"), [step("09:00:00")]),
    "skip: late": (("skip", None, "08:00:00", "09:01:01"), [step("09:00:00", False, 1)]),
    "skip: several late": (("skip", None, "06:10:00", "09:30:00"), [step("09:00:00", False, 3)]),
    "skip: the last is on time": (("skip", None, "06:10:00", "09:00:30"), [step("09:00:00", True, 2)]),
    "once: late": (("once", None, "08:00:00", "09:30:00"), [step("09:00:00")]),
    "once: several": (("once", None, "03:10:00", "09:30:00"), [step("09:00:00", True, 5)]),
    "once: within its window": (("once", HOUR_MS, "03:10:00", "09:30:00"), [step("09:00:00", True, 5)]),
    "once: past its window": (
        ("once", HOUR_MS // 4, "03:10:00", "09:30:00"),
        [step("09:00:00", False, 6)],
    ),
    "all: each, oldest first": (
        ("all", None, "06:10:00", "09:30:00"),
        [step("07:00:00"), step("08:00:00"), step("09:00:00")],
    ),
    "all: what is older than the window falls away": (
        ("all", 2 * HOUR_MS, "03:10:00", "09:30:00"),
        [step("08:00:00", True, 4), step("09:00:00")],
    ),
    "all: the edge of the window belongs to it": (
        ("all", HOUR_MS, "06:10:00", "09:00:00"),
        [step("08:00:00", True, 1), step("09:00:00")],
    ),
    "all: nothing within the window": (
        ("all", HOUR_MS // 4, "06:10:00", "09:30:00"),
        [step("09:00:00", False, 3)],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_steps(case: str) -> None:
    (missed, window_ms, covered, now), expected = CASES[case]
    assert steps(HOURLY, missed, window_ms, ms(covered), ms(now)) == expected


def test_a_long_absence_is_worked_off_in_portions() -> None:
    found = steps(MINUTELY, "all", None, ms("08:00:00"), ms("10:00:00"))
    assert len(found) == MAX_STEPS and found[-1] == step("08:20:00")
    assert steps(MINUTELY, "all", None, found[-1].tick_ms, ms("10:00:00"))[0] == step("08:21:00")


def test_missed_ticks_are_counted_up_to_a_bound() -> None:
    assert steps(MINUTELY, "once", None, 0, ms("08:00:10")) == [step("08:00:00", True, MAX_COUNTED)]


@pytest.mark.parametrize("missed", ["skip", "once", "all"])
def test_taking_the_steps_leaves_nothing_due(missed: str) -> None:
    """However often a leader dies: each step covers its tick, and the rest is due for the next."""
    covered, now = ms("00:00:30"), ms("05:00:20")
    rounds = 0
    while found := steps(MINUTELY, missed, HOUR_MS, covered, now):
        assert found[0].tick_ms > covered
        covered = found[0].tick_ms
        rounds += 1
    assert covered == ms("05:00:00")
    assert rounds == (60 if missed == "all" else 1)
