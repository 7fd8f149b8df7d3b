"""The flight recorder's pages: what a reader sees after a death at any moment, and of garbage."""

import os
import random
import signal
import time

import pytest

from gangerd.linux.shared_memory import anonymous, map_region
from gangerd.page import Page, PageGarbled, PageWriter
from gangerd.recorder import (
    MAGIC,
    PAGE_BYTES,
    Counter,
    EntryState,
    Held,
    Phase,
    Word,
    file_bytes,
    page_offset,
)

HELD, STARTED, DONE, TAKEN, GONE = (
    EntryState.HELD,
    EntryState.STARTED,
    EntryState.DONE,
    EntryState.TAKEN,
    EntryState.GONE,
)


def entry(number: int) -> Held:
    return Held("mail", number % 12, 5, f"1700000000000-{number}", f"jid{number:026}", "shop.send", 1)


def fresh() -> tuple[PageWriter, Page]:
    memory = memoryview(bytearray(PAGE_BYTES))
    writer = PageWriter(memory)
    writer.begin("00c0ffee00c0ffee", 4242, 3, 17)
    return writer, Page(memory)


def test_a_page_reads_back_what_its_worker_wrote() -> None:
    writer, reader = fresh()
    writer.hold([entry(1), entry(2)], [DONE, HELD], 99)
    writer.set_deadlines(100, 200, 300, 1 << 20)
    assert writer.start(1)
    writer.counters[Counter.STARTED] += 1
    seen = reader.snapshot()
    assert (seen.incarnation, seen.pid, seen.generation) == ("00c0ffee00c0ffee", 4242, 3)
    assert seen.held == [entry(1), entry(2)]
    assert seen.states == [DONE, STARTED]
    assert (seen.running, seen.run_seq, seen.run_soft_ns, seen.run_hard_ns) == (1, 1, 200, 300)
    assert seen.counters[Counter.STARTED] == 1
    assert reader.overdue_run() == (1, 200, 300)


def test_an_entry_taken_back_can_not_be_started() -> None:
    writer, reader = fresh()
    writer.hold([entry(1), entry(2), entry(3)], [HELD] * 3, 1)
    assert writer.start(0)
    assert reader.take_back() == [1, 2]
    assert not writer.start(1)
    assert reader.snapshot().states == [STARTED, TAKEN, TAKEN]


def test_a_new_batch_replaces_the_old_one_in_one_word() -> None:
    writer, reader = fresh()
    writer.hold([entry(1)], [HELD], 1)
    before = reader.words[Word.BATCH]
    writer.hold([entry(2), entry(3)], [HELD, HELD], 2)
    reader.words[Word.BATCH], after = before, reader.words[Word.BATCH]
    assert reader.snapshot().held == [entry(1)], "without the word the old batch is whole"
    reader.words[Word.BATCH] = after
    assert reader.snapshot().held == [entry(2), entry(3)]


def test_the_run_sequence_tells_two_runs_of_one_place_apart() -> None:
    writer, reader = fresh()
    for expected in (1, 2):
        writer.hold([entry(expected)], [HELD], 1)
        writer.start(0)
        assert reader.overdue_run()[0] == expected


def test_the_layout_has_not_moved() -> None:
    """A successor reads the pages of a killed master of another version: a new layout needs a new magic."""
    writer, _ = fresh()
    writer.hold([entry(7)], [HELD], 99)
    assert MAGIC.to_bytes(8, "little") == b"gangerF2"
    assert bytes(writer.bytes[8:16]).hex() == "eeffc000eeffc000"
    assert writer.words[9] == 1 << 32 | 66 << 9 | 1 << 1 | 1
    assert writer.words[384] == 1
    blob = b"\x91\x97\xa4mail\x07\x05\xaf1700000000000-7\xbdjid"
    assert bytes(writer.bytes[4096 + 30 * 1024 :][: len(blob)]) == blob
    assert (page_offset(0), page_offset(1), file_bytes(2)) == (307200, 372736, 438272)


@pytest.mark.parametrize("seed", range(200))
def test_garbage_is_garbled_or_harmless(seed: int) -> None:
    rng = random.Random(seed)
    writer, reader = fresh()
    writer.hold([entry(n) for n in range(20)], [HELD] * 20, 1)
    for _ in range(rng.randrange(1, 400)):
        writer.bytes[rng.choice((rng.randrange(PAGE_BYTES), rng.randrange(8, 200)))] = rng.randrange(256)
    try:
        seen = reader.snapshot()
    except PageGarbled:
        return
    assert len(seen.held) == len(seen.states)
    assert seen.running is None or 0 <= seen.running < len(seen.held)


def test_a_vacant_page_is_garbled() -> None:
    with pytest.raises(PageGarbled, match="no page was ever begun"):
        Page(memoryview(bytearray(PAGE_BYTES))).snapshot()


def test_a_page_is_whole_whenever_its_worker_is_killed() -> None:
    """SIGKILL in a loop of batches and starts, read after each death: never torn, never an impossible
    state."""
    fd = anonymous("page", file_bytes(1))
    mapped = map_region(fd, page_offset(0), PAGE_BYTES)
    reader = Page(memoryview(mapped))
    rng = random.Random(1)
    for trial in range(40):
        pid = os.fork()
        if pid == 0:
            writer = PageWriter(memoryview(map_region(fd, page_offset(0), PAGE_BYTES)))
            writer.begin(f"{trial + 1:016x}", os.getpid(), 1, 1)
            number = 0
            while True:
                count = 1 + number % 7
                writer.hold([entry(number)] * count, [HELD] * count, number)
                for index in range(count):
                    writer.set_deadlines(number, number, number, 0)
                    writer.start(index)
                    writer.states[index] = DONE
                number += 1
        deadline = time.monotonic() + 5
        while not (reader.incarnation == f"{trial + 1:016x}" and reader.words[Word.BATCH] >> 32 > 3):
            assert time.monotonic() < deadline
        for _ in range(rng.randrange(3000)):
            pass
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        seen = reader.snapshot()
        assert len(set(seen.held)) == 1, "a batch is one number's entries"
        assert len(seen.held) == 1 + int(seen.held[0].id.split("-")[1]) % 7
        assert seen.states.count(STARTED) <= 1


def test_the_phase_and_its_time() -> None:
    writer, reader = fresh()
    assert reader.phase == Phase.BORN
    writer.enter(Phase.IDLE, 555)
    assert (reader.phase, reader.snapshot().since_ns) == (Phase.IDLE, 555)
