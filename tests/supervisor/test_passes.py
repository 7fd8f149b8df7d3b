"""The table of passes: who may have one, what a torn or a dead taker leaves, and the layout as bytes."""

import os
from collections.abc import Iterator

import pytest

from gangerd.linux.shared_memory import anonymous, lock_byte, map_region
from gangerd.passes import MAX_PASSES, UNBOUND, Passes, PassState, Stub, Track
from gangerd.recorder import BOARD_BYTES, HEADER_BYTES, PASSES_AT, file_bytes
from support.children import child, hang, readable

STUB = Stub(0xFEED, 0xABCDEF0123456789, 2, 7, 10, 123_456, (11, 0, 33, 0, 0))
ME = 0xB1


class Table:
    def __init__(self) -> None:
        self.fd = anonymous("recorder", file_bytes(1))
        self.memory = memoryview(map_region(self.fd, HEADER_BYTES, BOARD_BYTES))
        self.passes = Passes(self.memory, self.fd)


@pytest.fixture
def table() -> Iterator[Table]:
    made = Table()
    yield made
    os.close(made.fd)


def test_a_pass_goes_from_the_coordinator_to_a_worker_and_back(table: Table) -> None:
    passes = table.passes
    assert not passes.is_offered(3)
    number = passes.offer(3, [STUB], 900, 100)
    assert number is not None and passes.is_offered(3) and not passes.is_offered(2)
    assert passes.take(2, 5, ME) is None
    assert passes.take(3, 5, ME) == number
    assert passes.take(3, 6, ME + 1) is None and not passes.is_offered(3)
    ((_, row),) = passes.rows()
    assert (row.state, row.line, row.slot, row.worker) == (PassState.TAKEN, 3, 5, ME)
    assert (row.valid_ns, row.since_ns, row.stubs) == (900, 100, (STUB,))
    assert not passes.withdraw(number)
    passes.spend(number)
    assert [row.state for _, row in passes.rows()] == [PassState.SPENT]
    passes.free(number)
    assert list(passes.rows()) == []


def test_one_not_taken_is_withdrawn_and_nobody_gets_it_then(table: Table) -> None:
    number = table.passes.offer(0, [], 900, 100)
    assert number is not None
    assert table.passes.withdraw(number) and table.passes.take(0, 0, ME) is None
    assert not table.passes.withdraw(number)


def test_a_renewal_shows_in_the_row(table: Table) -> None:
    number = table.passes.offer(0, [STUB], 900, 100)
    assert number is not None
    longer = Stub(STUB.limit, STUB.token, 2, -1, 100, 123_456, (0, 22, 0, 0, 55))
    table.passes.renewed(number, [longer], 1900)
    assert table.passes.valid_ns(number) == 1900
    assert [row.stubs for _, row in table.passes.rows()] == [(longer,)]


def test_a_full_table_offers_nothing_more(table: Table) -> None:
    given = [table.passes.offer(1, [], 1, 1) for _ in range(MAX_PASSES + 1)]
    assert given[-1] is None and len(set(given)) == MAX_PASSES + 1
    assert table.passes.counts() == {(1, PassState.OFFERED): MAX_PASSES}


def test_of_two_processes_the_second_goes_without_waiting(table: Table) -> None:
    number = table.passes.offer(0, [], 900, 100)
    assert number is not None
    at = HEADER_BYTES + PASSES_AT + number * 8
    ready, told = os.pipe()

    def holding() -> None:
        lock_byte(table.fd, at, wait=True)
        os.write(told, b".")
        hang()

    with child(holding):
        assert readable(ready)
        assert table.passes.take(0, 0, ME) is None
        assert not table.passes.withdraw(number)
    # The other died while it took the pass: the lock is gone with it, and the pass still lies there.
    assert table.passes.take(0, 0, ME) == number


def test_garbage_is_a_spent_pass(table: Table) -> None:
    number = table.passes.offer(0, [STUB], 900, 100)
    assert number is not None
    table.memory[PASSES_AT : PASSES_AT + 8] = b"\xa5" * 8
    ((_, row),) = table.passes.rows()
    assert row.state == PassState.SPENT


def test_the_layout_is_the_one_that_a_running_host_has(table: Table) -> None:
    """A successor of another version reads what its predecessor wrote: change PASSES_AT with the layout."""
    table.passes.offer(3, [STUB], 900, 100)
    table.passes.take(3, 5, ME)
    table.passes.want(4, 77)
    seen = {
        at: word for at, word in enumerate(table.memory.cast("B").cast("Q")) if word and at * 8 >= PASSES_AT
    }
    first = PASSES_AT // 8
    wanted, row = first + MAX_PASSES, first + MAX_PASSES + 512
    assert seen == {
        first: 5 << 32 | 3 << 8 | 2,
        wanted + 4: 77,
        row: ME,
        row + 1: 900,
        row + 2: 100,
        row + 3: 1,
        row + 9: UNBOUND,
        row + 10: STUB.limit,
        row + 11: STUB.token,
        row + 12: 2 << 48 | 8 << 32 | 10,
        row + 13: 123_456,
        row + 14: 11,
        row + 16: 33,
    }


def test_a_pass_for_a_lane_is_none_for_the_rest_of_its_queue(table: Table) -> None:
    passes, track = table.passes, Track(17, 0xFEDC, 0xBA98, 2**64 - 1)
    number = passes.offer(3, [STUB], 900, 100, track)
    assert number is not None
    assert not passes.is_offered(3) and passes.is_offered(3, laned=True)
    assert passes.counts() == {} and passes.counts(laned=True) == {(3, PassState.OFFERED): 1}
    assert passes.take(3, 5, ME) is None
    assert passes.take(3, 5, ME, laned=True) == number and passes.track(number) == track
    passes.saw_last(number)
    passes.spend(number)
    ((_, row),) = passes.rows()
    assert (row.state, row.line, row.slot, row.track, row.drained) == (PassState.SPENT, 3, 5, track, True)
    passes.free(number)
    assert passes.offer(3, [], 900, 100) == number
    ((_, row),) = passes.rows()
    assert row.track is None and not row.drained
