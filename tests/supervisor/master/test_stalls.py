"""A worker that hangs outside any job loses its place, not the host."""

import os
from pathlib import Path

from gangerd.master.stalls import Stalls
from gangerd.page import PageWriter
from gangerd.recorder import PAGE_BYTES, EntryState, Held, Phase
from support.masters import master
from support.waiting import until

ME = "00000000000000b1"
S = 1_000_000_000


def page() -> PageWriter:
    made = PageWriter(memoryview(bytearray(PAGE_BYTES)))
    made.begin(ME, os.getpid(), 1, 1)
    made.enter(Phase.IDLE, 1)
    return made


def test_who_shows_nothing_for_the_whole_time_hangs() -> None:
    stalls, shown = Stalls(10), page()
    assert [stalls.hangs(ME, shown, at * S) for at in (0, 5, 10, 11)] == [False, False, False, True]


def test_any_sign_of_life_and_our_own_absence_begin_it_anew() -> None:
    stalls, shown = Stalls(10), page()
    stalls.hangs(ME, shown, 0)
    shown.enter(Phase.IDLE, 2)
    assert [stalls.hangs(ME, shown, at * S) for at in (9, 19)] == [False, False]
    stalls.moved()
    assert [stalls.hangs(ME, shown, at * S) for at in (3600, 3609, 3611)] == [False, False, True]


def test_a_run_has_its_own_deadlines() -> None:
    stalls, shown = Stalls(10), page()
    shown.hold([Held("q", 1, 5, "1-1", "j", "t", 1)], [EntryState.HELD], 1)
    assert shown.start(0)
    assert [stalls.hangs(ME, shown, at * S) for at in (0, 3600)] == [False, False]


def test_its_place_is_filled_again(tmp_path: Path) -> None:
    """The worker of the tests never touches its page while it idles."""
    with master(tmp_path, {"hung_s": 1.0}, workers=1) as running:
        first = running.worker(0)
        (told,) = running.await_log("worker.stuck")
        assert told["pid"] == first or told.get("child") == first
        assert running.worker(1) != first
        until(lambda: len(running.told()) >= 1, "its death is settled")
        assert (running.told()[0]["cause"], running.told()[0]["running"]) == ("released", None)
