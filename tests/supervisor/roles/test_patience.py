"""What a live page asks of its host: told from its words alone."""

import pytest

from gangerd.page import PageWriter
from gangerd.recorder import PAGE_BYTES, EntryState, Held, Phase
from gangerd.roles.coordinator.patience import BATCH_MS, STALL_MS, STUCK_MS, glance, to_renew
from gangerd.roles.loop import MS

HELD, DONE, TAKEN, GONE = EntryState.HELD, EntryState.DONE, EntryState.TAKEN, EntryState.GONE
BORN_NS = 1_000_000 * MS


def page(states: list[EntryState], *, run: int | None = None, run_at_ms: int = 0) -> PageWriter:
    """A page whose batch began at BORN_NS, and that started entry `run` some ms later."""
    made = PageWriter(memoryview(bytearray(PAGE_BYTES)))
    made.begin("aa", 77, 1, BORN_NS)
    held = [Held("mail", 0, 5, f"{n}-1", f"jid{n}", "shop.send", 1) for n in range(len(states))]
    made.hold(held, states, BORN_NS)
    if run is not None:
        made.set_deadlines(BORN_NS + run_at_ms * MS, 0, 0, 0)
        assert made.start(run)
        made.enter(Phase.RUNNING, BORN_NS + run_at_ms * MS)
    return made


def at(ms: int) -> int:
    return BORN_NS + ms * MS


@pytest.mark.parametrize(
    ("what", "made", "after_ms", "expected"),
    [
        ("nothing held", page([]), 10_000, (False, False, False, False)),
        ("all is over", page([GONE, GONE]), 10_000, (False, False, False, False)),
        ("just claimed", page([HELD, HELD]), 10, (True, False, False, False)),
        ("a long job in front", page([HELD, HELD], run=0), STALL_MS, (True, True, False, False)),
        ("a long job alone", page([HELD], run=0), 10_000, (True, False, False, False)),
        ("it gets on", page([DONE, HELD, HELD], run=1, run_at_ms=100), 120, (True, False, False, False)),
        ("too slowly", page([DONE, HELD, HELD], run=1, run_at_ms=240), BATCH_MS, (True, True, False, False)),
        ("done before a long job", page([DONE, HELD], run=1, run_at_ms=5), 60, (True, False, False, True)),
        ("done and stuck on the way", page([DONE, DONE]), STALL_MS, (True, False, False, True)),
        ("taken and not released", page([TAKEN, HELD], run=1), STALL_MS, (True, False, True, False)),
        ("all at once", page([DONE, TAKEN, HELD, HELD], run=2, run_at_ms=1), 60, (True, True, True, True)),
    ],
)  # fmt: skip
def test_a_glance(
    what: str, made: PageWriter, after_ms: int, expected: tuple[bool, bool, bool, bool]
) -> None:
    look = glance(made, at(after_ms))
    assert (look.holds, look.take_back, look.release, look.settle) == expected


@pytest.mark.parametrize(
    ("what", "made", "after_ms", "indices"),
    [
        ("young", page([HELD, HELD], run=0), 1_999, []),
        ("running and waiting", page([DONE, HELD, HELD, TAKEN, GONE], run=1), 2_000, [1, 2, 3]),
        ("a run of hours", page([HELD], run=0), 3_600_000, [0]),
        ("stuck outside a job", page([HELD]), STUCK_MS, []),
        ("not yet stuck", page([HELD]), STUCK_MS - 1, [0]),
    ],
)
def test_what_is_renewed(what: str, made: PageWriter, after_ms: int, indices: list[int]) -> None:
    assert to_renew(made.snapshot(), at(after_ms)) == indices
