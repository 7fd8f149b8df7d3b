"""What a worker sees of the board, while others write to it."""

from collections.abc import Iterator

import pytest

from gangerd.board import Board, Line
from gangerd.recorder import BOARD_BYTES
from gangerd.worker.sight import Sight


class Contested(Board):
    """A sibling drains the first queue between our look at what waits and our look at where."""

    quicker = True

    def waiting(self, first: int, count: int) -> Iterator[tuple[int, int]]:
        if self.quicker:
            self.quicker = False
            for index in range(first, first + count):
                self.silence(index)
        return super().waiting(first, count)


@pytest.fixture
def board() -> Contested:
    made = Contested(memoryview(bytearray(BOARD_BYTES)))
    made.write_directory([Line("mail", 3, 1), Line("stock", 3, 1)])
    return made


def test_where_a_sibling_was_quicker_the_next_queue_is_visited(board: Contested) -> None:
    sight = Sight(board, "ganger")
    board.signal(1, 5)
    board.signal(4, 5)
    target = sight.next()
    assert target is not None and (target.partition.queue, target.index) == ("stock", 4)


def test_where_a_sibling_was_quicker_nothing_may_be_left(board: Contested) -> None:
    sight = Sight(board, "ganger")
    board.signal(1, 5)
    assert sight.next() is None
    assert not sight.anything()
