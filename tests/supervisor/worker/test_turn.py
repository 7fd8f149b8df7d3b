"""The turn to leave: had by as many as were given one, whoever asks and however many ask at once."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from gangerd.master import seats
from gangerd.page import PageWriter
from gangerd.recorder import HeaderWord, Phase
from gangerd.worker.turn import Turn
from support.puppets import close

Maker = Callable[[int], seats.Recorder]


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Maker]:
    """Makes the recorder of the test."""
    with ExitStack() as opened:

        def make(workers: int) -> seats.Recorder:
            recorder = seats.create(tmp_path, "00000000000000ab", workers)
            opened.callback(close, recorder)
            return recorder

        yield make


def test_a_turn_is_taken_once_and_the_page_shows_that_its_taker_leaves(made: Maker) -> None:
    recorder = made(2)
    pages = [PageWriter(seat.page.bytes) for seat in recorder.seats[:2]]
    for page in pages:
        page.begin("00000000000000cd", os.getpid(), 1, 1)
    first, second = (Turn(recorder.fd, page) for page in pages)
    assert not first.take() and pages[0].phase == Phase.BORN
    recorder.header[HeaderWord.TURNS_GIVEN] = 1
    assert second.take() and not first.take() and not second.take()
    assert (pages[0].phase, pages[1].phase) == (Phase.BORN, Phase.LEAVING)
    assert recorder.word(HeaderWord.TURNS_TAKEN) == 1


def test_of_many_that_ask_at_once_as_many_have_one_as_were_given(made: Maker) -> None:
    recorder = made(8)
    recorder.header[HeaderWord.TURNS_GIVEN] = 5
    children = []
    for seat in recorder.seats:
        child = os.fork()
        if child == 0:
            turn, taken = Turn(recorder.fd, PageWriter(seat.page.bytes)), 0
            while recorder.word(HeaderWord.TURNS_TAKEN) < 5:
                taken += turn.take()
            os._exit(taken)
        children.append(child)
    taken = sum(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children)
    assert taken == recorder.word(HeaderWord.TURNS_TAKEN) == 5
