"""remains.py and the master's look: whatever is in a page, reading it never raises."""

import random

import msgspec

from gangerd.board import Board, Line
from gangerd.master import remains
from gangerd.master.deadlines import look
from gangerd.messages import Death, decode, encode
from gangerd.page import Page, PageWriter
from gangerd.recorder import (
    BOARD_BYTES,
    HALVES_AT,
    MAGIC,
    PAGE_BYTES,
    ClaimToken,
    EntryState,
    Held,
    Phase,
    Word,
)

WORKER = "00000000000000ab"


def board() -> Board:
    made = Board(memoryview(bytearray(BOARD_BYTES)))
    made.write_directory([Line("mail", 12, 1), Line("video", 6, 1)])
    return made


def busy() -> bytearray:
    memory = bytearray(PAGE_BYTES)
    page = PageWriter(memoryview(memory))
    page.begin(WORKER, 4242, 1, 5)
    for generation in range(2):  # both halves are written
        entries = [Held("mail", 3, 5, f"{n}-1", f"j{generation}{n}", "shop.send", 1) for n in range(20)]
        page.hold(entries, [EntryState.HELD] * 20, 5)
    page.set_deadlines(10, 20, 30, 40)
    page.start(4)
    page.enter(Phase.RUNNING, 6)
    page.claim_sent(9, 17)
    return memory


def as_message(left: remains.Remains) -> Death:
    return Death(
        WORKER, "aa", WORKER, 0, 1, 1, 1, "killed", True, True,
        held=left.held, states=left.states, running=left.running, claim=left.claim,
        counters=left.counters, garbled=left.garbled,
    )  # fmt: skip


def test_a_whole_page() -> None:
    left = remains.read(Page(memoryview(busy())), WORKER, board())
    assert left.owed and not left.garbled and left.running == 4 and left.run is left.held[4]
    assert (left.run_seq, left.run_started_ns, left.phase) == (1, 10, Phase.RUNNING)
    assert left.claim == ClaimToken(9, "video", 5) and len(left.held) == len(left.states) == 20


def test_nobody_moved_in() -> None:
    left = remains.read(Page(memoryview(bytearray(PAGE_BYTES))), WORKER, board())
    assert left == remains.Remains() and not left.owed


def test_noise_never_raises_and_its_death_can_be_told() -> None:
    rng = random.Random(20261122)
    garbled = 0
    for trial in range(1500):
        memory = busy()
        for _ in range(rng.choice((1, 2, 8, 64))):
            where = rng.choice((rng.randrange(512), rng.randrange(HALVES_AT), rng.randrange(PAGE_BYTES)))
            memory[where] = rng.randrange(256)
        if trial % 3 == 0:  # in the batch's own bytes
            start = HALVES_AT + (memory[8 * Word.BATCH] & 1) * 30 * 1024
            for _ in range(3):
                memory[start + rng.randrange(400)] = rng.randrange(256)
        memory[:8] = MAGIC.to_bytes(8, "little")
        page = Page(memoryview(memory))
        look(page)
        left = remains.read(page, WORKER, board())
        death = as_message(left)
        assert decode(encode(death)) == death
        garbled += bool(left.garbled)
        assert len(left.held) == len(left.states) and (not left.garbled or not left.owed)
    assert 50 < garbled < 1500


def test_a_garbled_board_costs_the_token_alone() -> None:
    memory = bytearray(BOARD_BYTES)
    Board(memoryview(memory)).write_directory([Line("mail", 12, 1)])
    for at in range(40, 60 * 1024):
        memory[at] = 0xC1  # never used in msgpack
    left = remains.read(Page(memoryview(busy())), WORKER, Board(memoryview(memory)))
    assert left.claim is None and "board can't be read" in left.notes[0] and len(left.held) == 20
    assert msgspec.msgpack.encode(as_message(left))
