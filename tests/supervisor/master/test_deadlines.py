"""deadlines.py: looks at real pages, knocks, the hard end, and the master's own absence."""

from gangerd.master.deadlines import KNOCK_EVERY_NS, MAX_GAPS, Due, Gaps, Look, judge, look
from gangerd.page import PageWriter
from gangerd.recorder import PAGE_BYTES, EntryState, Held

S = 1_000_000_000
RUN = Look("a", 3, started_ns=100 * S, soft_ns=130 * S, hard_ns=133 * S)


def test_a_look_at_a_page() -> None:
    page = PageWriter(memoryview(bytearray(PAGE_BYTES)))
    assert look(page).run_seq == 0
    page.begin("00000000000000ab", 1, 1, 0)
    page.hold([Held("q", 0, 5, "1-1", "j", "t", 1)], [EntryState.HELD], 0)
    assert look(page) == Look("00000000000000ab", 0)
    page.set_deadlines(10, 20, 30, 40)
    assert look(page).run_seq == 0
    page.start(0)
    assert look(page) == Look("00000000000000ab", 1, 10, 20, 30, 40)
    page.states[0] = EntryState.DONE
    assert look(page).run_seq == 0


def test_the_times_of_a_run() -> None:
    assert judge(Look("a", 0, hard_ns=1), None, 500 * S, 0) is Due.NOTHING
    assert judge(RUN, None, 130 * S - 1, 0) is Due.NOTHING
    assert judge(RUN, None, 130 * S, 0) is Due.KNOCK
    assert judge(RUN, 130 * S, 130 * S + KNOCK_EVERY_NS - 1, 0) is Due.NOTHING
    assert judge(RUN, 130 * S, 130 * S + KNOCK_EVERY_NS, 0) is Due.KNOCK
    assert judge(RUN, 130 * S, 133 * S, 0) is Due.END
    assert judge(Look("a", 3, 100 * S, 0, 133 * S), None, 132 * S, 0) is Due.NOTHING  # async: no knock
    assert judge(Look("a", 3, 100 * S, 0, 0), None, 999 * S, 0) is Due.NOTHING


def test_time_the_master_was_away_is_given_back() -> None:
    gaps = Gaps()
    assert gaps.allowance_ns(0) == 0
    gaps.moved(60 * S, 160 * S)
    assert gaps.allowance_ns(RUN.started_ns) == 60 * S  # ran all through it
    assert gaps.allowance_ns(150 * S) == 10 * S  # began in the midst of it
    assert gaps.allowance_ns(160 * S) == 0
    gaps.moved(5 * S, 190 * S)
    assert gaps.allowance_ns(RUN.started_ns) == 65 * S
    assert judge(RUN, None, 190 * S, gaps.allowance_ns(RUN.started_ns)) is Due.NOTHING
    assert judge(RUN, None, 195 * S, gaps.allowance_ns(RUN.started_ns)) is Due.KNOCK
    assert judge(RUN, None, 198 * S, gaps.allowance_ns(RUN.started_ns)) is Due.END


def test_gaps_are_bounded() -> None:
    gaps = Gaps()
    for n in range(MAX_GAPS + 50):
        gaps.moved(3 * S, (1000 + n) * S)
    assert gaps.allowance_ns(0) == MAX_GAPS * 3 * S
