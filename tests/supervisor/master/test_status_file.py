"""status_file.py: whole, at most once a second, and never in the way."""

import json
import threading
from pathlib import Path

import pytest

from gangerd.master.status_file import EVERY_NS, StatusFile


def test_at_most_one_a_second(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    status = StatusFile(path)
    assert status.due(5)
    status.write({"n": 1}, 5)
    assert not status.due(5 + EVERY_NS - 1)
    status.write({"n": 2}, 5 + EVERY_NS - 1)
    assert json.loads(path.read_text()) == {"n": 1}
    status.write({"n": 3}, 5 + EVERY_NS)
    assert json.loads(path.read_text()) == {"n": 3}
    status.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_reader_never_sees_half_of_it(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    status, seen, over = StatusFile(path), set(), threading.Event()
    status.write({"n": -1, "pad": "x" * 100_000}, 0)

    def read() -> None:
        while not over.is_set():
            seen.add(json.loads(path.read_text())["n"])

    reader = threading.Thread(target=read)
    reader.start()
    for n in range(300):
        status.write({"n": n, "pad": "x" * 100_000}, (n + 1) * EVERY_NS)
    over.set()
    reader.join()
    assert len(seen) > 1


def test_trouble_is_said_once_and_stops_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    home = tmp_path / "run"
    status = StatusFile(home / "status.json")
    for second in range(3):
        status.write({"n": second}, second * EVERY_NS)
    assert capfd.readouterr().err.count("status_unwritten") == 1
    home.mkdir()
    status.write({"n": 4}, 4 * EVERY_NS)
    assert json.loads((home / "status.json").read_text()) == {"n": 4}
    status.write({"n": object()}, 5 * EVERY_NS)
    assert capfd.readouterr().err.count("status_unwritten") == 1
    assert json.loads((home / "status.json").read_text()) == {"n": 4}
