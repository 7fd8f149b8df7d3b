"""What a process is at is read off the end of its journal."""

import os
from pathlib import Path

import pytest

from chaos.journal import VARIABLE, Pen, at_work

BEGIN = "B 1m8d2g3z045901r6bnhap0027a000 1 1795735162848-7157788663419 24403262302047 1795730976660 q -"
END = "E 1m8d2g3z045901r6bnhap0027a000 1795735162848-7157788663419 24403262315037"


@pytest.mark.parametrize(
    ("written", "code"),
    [([], ""), ([BEGIN], "q"), ([BEGIN, END], ""), ([BEGIN, END] * 20 + [BEGIN], "q")],
)
def test_what_a_process_has_begun_and_not_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: list[str], code: str
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    (tmp_path / "runs").mkdir()
    pen = Pen("runs")
    for line in written:
        pen.write(line)
    assert (at_work(tmp_path, os.getpid()), at_work(tmp_path, 1)) == (code, "")
