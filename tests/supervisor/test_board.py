"""The board: no wake-up is lost between a signal and a drained mark."""

import pytest

from ganger import slots
from gangerd.board import MAX_PARTITIONS, MOST_OF_A_QUEUE, Board, Line
from gangerd.recorder import BOARD_BYTES


def board() -> Board:
    return Board(memoryview(bytearray(BOARD_BYTES)))


def test_a_signal_is_work_until_it_is_drained() -> None:
    b = board()
    assert list(b.waiting(0, 12)) == []
    b.signal(3, 5)
    b.signal(7, 9)
    assert list(b.waiting(0, 12)) == [(3, 5), (7, 9)]
    b.silence(3)
    assert list(b.waiting(0, 12)) == [(7, 9)]


def test_a_stretch_has_anything_where_one_of_its_partitions_waits() -> None:
    board = Board(memoryview(bytearray(BOARD_BYTES)))
    board.signal(3, 5)
    assert [board.anything(first, 3) for first in (0, 1, 3, 4)] == [False, True, True, False]
    board.silence(3)
    assert not board.anything(0, MAX_PARTITIONS)


def test_a_drained_mark_that_comes_late_does_not_hide_the_newer_signal() -> None:
    b = board()
    b.signal(3, 5)
    seen = b.signals[3]
    b.signal(3, 5)
    b.drained[3] = seen
    assert list(b.waiting(0, 12)) == [(3, 5)]


def test_the_directory_is_replaced_whole() -> None:
    b = board()
    assert (b.directory(), b.directory_word) == ([], 0)
    b.write_directory([Line("mail", 12, 3)])
    first = b.directory_word
    b.write_directory([Line("mail", 12, 3), Line("default", 12, 1)])
    assert b.directory() == [Line("mail", 12, 3), Line("default", 12, 1)]
    assert b.directory_word != first


def test_a_directory_that_does_not_fit_is_refused_and_changes_nothing() -> None:
    b = board()
    b.write_directory([Line("mail", 12, 3)])
    with pytest.raises(ValueError, match="serve fewer queues"):
        b.write_directory([Line("mail", MAX_PARTITIONS + 1, 1)])
    assert b.directory() == [Line("mail", 12, 3)]


def test_a_queue_has_as_many_partitions_as_the_engine_knows() -> None:
    assert MOST_OF_A_QUEUE == slots.MAX_PARTITIONS


def test_idle_bytes() -> None:
    b = board()
    assert not b.anyone_idle(4)
    b.set_idle(2, True)
    assert b.anyone_idle(4) and b.idle_count(4) == 1 and not b.anyone_idle(2)
    b.set_idle(2, False)
    assert not b.anyone_idle(4)
