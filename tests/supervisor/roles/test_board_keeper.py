"""The board's keeper: what news make of the board, and how many sleepers are rung."""

import os
from collections.abc import Iterator

import pytest

from ganger.keys import Partition, partitions
from gangerd.board import Board
from gangerd.linux import doorbell
from gangerd.recorder import BOARD_BYTES
from gangerd.roles.coordinator.board_keeper import BoardKeeper

MAIL, IMAGES = partitions("ganger", "mail", 4), partitions("ganger", "images", 2)


@pytest.fixture
def board() -> Board:
    return Board(memoryview(bytearray(BOARD_BYTES)))


@pytest.fixture
def keeper(board: Board) -> Iterator[BoardKeeper]:
    bell = doorbell.create()
    made = BoardKeeper(board, 4, bell)
    made.publish({"mail": (MAIL, 3), "images": (IMAGES, 1)})
    yield made
    os.close(bell)


def rings(keeper: BoardKeeper) -> int:
    return doorbell.silence(keeper._bell)


def waiting(board: Board) -> dict[int, int]:
    return dict(board.waiting(0, 6))


def test_a_wake_up_shows_on_the_board_and_rings_one(board: Board, keeper: BoardKeeper) -> None:
    for slot in range(3):
        board.set_idle(slot, True)
    keeper.woke(MAIL[2].wake, b"7")
    assert keeper.ring() == 1
    assert waiting(board) == {2: 7}
    assert rings(keeper) == 1
    assert keeper.ring() == 0


def test_four_jobs_ring_four_sleepers_and_no_more_than_sleep(board: Board, keeper: BoardKeeper) -> None:
    """Only the first of several jobs ringing would leave the others to the poll."""
    board.set_idle(0, True)
    board.set_idle(3, True)
    for index in range(4):
        keeper.woke(MAIL[index].wake, b"5")
    assert keeper.ring() == 2
    assert rings(keeper) == 2


def test_rings_do_not_pile_up_while_nobody_answers(board: Board, keeper: BoardKeeper) -> None:
    """The idle byte of a worker that died in its sleep."""
    board.set_idle(2, True)
    for _ in range(100):
        keeper.looked(0, 5)
        keeper.ring()
    assert rings(keeper) == 1


def test_nobody_is_rung_where_nobody_sleeps(board: Board, keeper: BoardKeeper) -> None:
    keeper.woke(MAIL[0].wake, b"5")
    assert keeper.ring() == 0
    assert waiting(board) == {0: 5}


@pytest.mark.parametrize("payload", [b"", b"x", b"12", b"\xff"])
def test_a_strange_payload_still_means_work(board: Board, keeper: BoardKeeper, payload: bytes) -> None:
    keeper.woke(IMAGES[0].wake, payload)
    assert waiting(board) == {4: 1}


def test_a_strange_channel_means_nothing(board: Board, keeper: BoardKeeper) -> None:
    keeper.woke(b"ganger:{other}:wake", b"5")
    assert waiting(board) == {}


def test_the_poll_repeats_a_ring_that_was_lost(board: Board, keeper: BoardKeeper) -> None:
    keeper.looked(1, 5)
    board.set_idle(0, True)
    keeper.looked(1, 5)
    assert keeper.ring() == 1


def test_the_poll_keeps_a_signal_that_stands(board: Board, keeper: BoardKeeper) -> None:
    """A new signal would void the drained mark of a claim that is under way."""
    keeper.looked(1, 5)
    signal = board.signals[1]
    keeper.looked(1, 5)
    assert board.signals[1] == signal
    keeper.looked(1, 9)
    assert board.signals[1] != signal
    assert waiting(board) == {1: 9}


def test_the_poll_takes_no_signal_away(board: Board, keeper: BoardKeeper) -> None:
    """The visit that finds nothing is what arms the next wake-up."""
    keeper.woke(MAIL[0].wake, b"5")
    keeper.looked(0, 0)
    assert waiting(board) == {0: 5}


def test_what_is_out_of_reach_draws_nobody(board: Board, keeper: BoardKeeper) -> None:
    keeper.woke(MAIL[0].wake, b"5")
    keeper.unreachable(0)
    assert waiting(board) == {}
    keeper.looked(0, 5)
    assert waiting(board) == {0: 5}


def test_a_successor_keeps_the_indices(board: Board, keeper: BoardKeeper) -> None:
    more: dict[str, tuple[tuple[Partition, ...], int]] = {
        "a-new-one": (partitions("ganger", "a-new-one", 3), 1),
        "images": (IMAGES, 1),
        "mail": (MAIL, 5),
    }
    successor = BoardKeeper(board, 4, keeper._bell)
    successor.publish(more)
    assert [(line.queue, line.weight) for line in board.directory()] == [
        ("mail", 5),
        ("images", 1),
        ("a-new-one", 1),
    ]
    assert successor.place(4) == IMAGES[0]
    assert successor.place(9) is None


def test_an_unchanged_directory_is_not_written_again(board: Board, keeper: BoardKeeper) -> None:
    word = board.directory_word
    BoardKeeper(board, 4, keeper._bell).publish({"mail": (MAIL, 3), "images": (IMAGES, 1)})
    assert board.directory_word == word
