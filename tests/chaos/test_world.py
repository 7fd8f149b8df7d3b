"""What a host and a producer of a chaos run note of their ends, with other commands in their place."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chaos.journal import VARIABLE
from chaos.world import Host, Producer
from support.waiting import until

Notes = list[tuple[str, dict[str, Any]]]


@pytest.fixture
def notes() -> Notes:
    return []


@pytest.fixture
def note(notes: Notes) -> Callable[..., None]:
    return lambda what, **about: notes.append((what, about))


def shell(script: str) -> list[str]:
    return ["/bin/sh", "-c", script]


def host(root: Path, note: Callable[..., None], script: str) -> Host:
    return Host("north", root, {VARIABLE: str(root), "PYTHONPATH": ""}, ["one"], shell(script), note)


def ends(notes: Notes) -> list[tuple[object, object, object]]:
    assert {what for what, _ in notes} == {"ended"}
    return [(about["of"], about["exit_code"], about["asked"]) for _, about in notes]


def test_a_host_that_ends_by_itself_is_noted_before_it_is_started_again(
    tmp_path: Path, notes: Notes, note: Callable[..., None]
) -> None:
    one = host(tmp_path, note, "exit 3")
    until(lambda: one.ended, "its end")
    pid = one.process.pid
    one.revive()
    assert ends(notes) == [("north", 3, False)]
    assert (notes[0][1]["pid"], notes[0][1]["log"]) == (pid, "log.1")
    until(lambda: one.ended, "its end")
    one.dismiss()
    assert ends(notes)[1:] == [("north", 3, False)]


@pytest.mark.parametrize(
    ("script", "code"),
    [("echo begun; exec sleep 60", -15), ("trap 'exit 0' TERM; echo begun; while :; do sleep 0.01; done", 0)],
)
def test_a_host_is_asked_to_end_at_last(
    tmp_path: Path, notes: Notes, note: Callable[..., None], script: str, code: int
) -> None:
    one = host(tmp_path, note, script)
    until(lambda: "begun" in one.log_file.read_text(), "its begin")
    one.dismiss()
    assert ends(notes) == [("north", code, True)]


def test_a_producer_notes_each_of_its_ends(tmp_path: Path, notes: Notes, note: Callable[..., None]) -> None:
    log = tmp_path / "log"
    one = Producer(1, {"seed": 1}, {}, log, shell("echo begun; exec sleep 60"), note)
    one.start()
    until(lambda: log.read_text().count("begun") == 1, "its first life")
    one.kill()
    one.start()
    until(lambda: log.read_text().count("begun") == 2, "its second life")
    one.stop()
    assert ends(notes) == [("producer 1", -9, False), ("producer 1", -15, True)]


def test_a_producer_that_has_ended_was_not_asked_to(
    tmp_path: Path, notes: Notes, note: Callable[..., None]
) -> None:
    one = Producer(2, {"seed": 1}, {}, tmp_path / "log", shell("exit 1"), note)
    one.start()
    until(lambda: one.ended, "its end")
    one.stop()
    assert ends(notes) == [("producer 2", 1, False)]
