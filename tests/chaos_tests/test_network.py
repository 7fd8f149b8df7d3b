"""The lines between hosts and servers are really cut, narrowed and mended, each host's alone."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from chaos import network
from chaos.nemesis import NotNow

TESTS = Path(__file__).parents[1]


def test_lines_are_cut_deafened_narrowed_and_mended() -> None:
    if reason := network.missing():
        pytest.skip(reason)
    words = [sys.executable, "-m", "chaos_tests.lines_lab"]
    env = {**os.environ, "PYTHONPATH": str(TESTS)}
    done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)

    assert seen["before"] == ["ok", "ok"]
    assert seen["cut"] == ["TimeoutError", "ok", 3], "nothing of the struck host arrived"
    assert seen["deaf"] == ["TimeoutError", 1, "ok"], "it was executed, and the reply was lost"
    assert seen["mended"] == ["ok", "ok"]
    assert seen["slow_s"] > 0.15 > seen["fast_s"] or seen["slow_s"] > 5 * seen["fast_s"]
    assert seen["after"] == "ok"


def test_on_loopback_nothing_can_be_cut() -> None:
    lines = network.Loopback("no root")
    assert (lines.prefix(0), lines.address) == ([], "127.0.0.1")
    with pytest.raises(NotNow, match="no root"):
        lines.cut(0)
    lines.mend(0)
