"""health.py: the two answers, from a recorder as a master makes it."""

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from gangerd.health import View, find, judge, look
from gangerd.master import seats
from gangerd.page import PageWriter
from gangerd.recorder import PAGE_BYTES, Control, HeaderWord, Phase
from support.puppets import close

S = 1_000_000_000
NOW = 1000 * S
WELL = View(master_at_ns=NOW, serving=True, coordinator_at_ns=NOW, renewed_at_ns=NOW, workers=2)


def test_all_is_well() -> None:
    found = judge(WELL, NOW)
    assert found.live and found.ready and found.reasons == [] and found.workers == 2
    assert found.is_well("live", "ready")


@dataclass
class Case:
    changes: dict[str, int | bool]
    ready: bool
    reason: str


@pytest.mark.parametrize(
    "case",
    [
        Case({"serving": False}, False, "starting or ending"),
        Case({"workers": 0}, True, "no worker"),
        Case({"coordinator_at_ns": 0}, True, "has not started"),
        Case({"coordinator_at_ns": NOW - 6 * S}, True, "coordinator has given no sign of life for 6 s"),
        Case({"renewed_at_ns": 0}, True, "not been reached yet"),
        Case({"renewed_at_ns": NOW - 11 * S}, True, "Redis was last reached, and leases renewed, 11 s ago"),
        Case({"master_at_ns": NOW - 6 * S}, False, "master has given no sign of life for 6 s"),
        Case({"master_at_ns": 0}, False, "master has given no sign"),
    ],
    ids=lambda case: case.reason,
)
def test_what_is_missing_is_said(case: Case) -> None:
    values = {name: getattr(WELL, name) for name in WELL.__struct_fields__}
    found = judge(View(**(values | case.changes)), NOW)
    assert not found.live and found.ready is case.ready
    assert case.reason in found.reasons[0]


def test_no_master(tmp_path: Path) -> None:
    assert find(tmp_path / "nowhere") is None
    found = judge(None, NOW)
    assert not found.live and not found.ready and found.reasons == ["no master runs here"]


def test_a_recorder_is_read(tmp_path: Path) -> None:
    recorder = seats.create(tmp_path, "00000000000000a1", 2)
    recorder.header[HeaderWord.MASTER_AT_NS] = 5
    recorder.header[HeaderWord.SERVING] = 1
    for slot, (control, phase) in enumerate(
        [
            (Control.MAY_CLAIM, Phase.IDLE),
            (Control.MAY_CLAIM | Control.RETIRE, Phase.RUNNING),
            (0, Phase.IDLE),
            (Control.MAY_CLAIM, Phase.LEAVING),
            (Control.MAY_CLAIM, Phase.RUNNING),
        ]
    ):
        page = PageWriter(memoryview(recorder.seats[slot].page.bytes)[:PAGE_BYTES])
        page.begin(f"{slot + 1:016x}", 1, 1, 0)
        page.set_control(control)
        page.enter(phase, 0)
    seen = look(recorder.fd)
    assert seen == View(master_at_ns=5, serving=True, coordinator_at_ns=0, renewed_at_ns=0, workers=2)
    assert find(tmp_path) == seen
    close(recorder)


def test_a_recorder_of_a_dead_master_is_nobody_s(tmp_path: Path) -> None:
    recorder = seats.create(tmp_path, "00000000000000a2", 1)
    recorder.header[HeaderWord.MASTER_STARTED] = 1
    (tmp_path / "recorder-half").write_bytes(b"half")
    assert find(tmp_path) is None
    close(recorder)


def test_what_is_no_recorder(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for bytes_ in (b"", b"x" * 5000):
        path.write_bytes(bytes_)
        fd = os.open(path, os.O_RDONLY)
        assert look(fd) is None
        os.close(fd)
