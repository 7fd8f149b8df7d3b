"""The lines between hosts and servers are really cut, narrowed and mended, each host's alone."""

import itertools
import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from chaos import network
from chaos.nemeses import network as nemeses
from chaos.nemesis import NotNow, Stage

TESTS = Path(__file__).parents[1]


def seen_in(lab: str) -> Any:
    if reason := network.missing():
        pytest.skip(reason)
    env = {**os.environ, "PYTHONPATH": str(TESTS)}
    done = subprocess.run([sys.executable, "-m", lab], env=env, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_lines_are_cut_deafened_narrowed_and_mended() -> None:
    seen = seen_in("chaos.lines_lab")
    assert seen["before"] == ["ok", "ok"]
    assert seen["cut"] == ["TimeoutError", "ok", 3], "nothing of the struck host arrived"
    assert seen["deaf"] == ["TimeoutError", 1, "ok"], "it was executed, and the reply was lost"
    assert seen["mended"] == ["ok", "ok"]
    assert seen["slow_s"] > 0.15 > seen["fast_s"] or seen["slow_s"] > 5 * seen["fast_s"]
    assert seen["after"] == "ok"


def test_nodes_are_parted_with_what_follows_from_it_and_united() -> None:
    assert seen_in("chaos.partition_lab") == {
        "a primary alone": "whole",
        "a primary from its replica": "whole",
        "a shard alone": "whole",
    }


def test_on_loopback_nothing_can_be_cut() -> None:
    lines = network.Loopback("no root")
    assert (lines.prefix(0), lines.address) == ([], "127.0.0.1")
    with pytest.raises(NotNow, match="no root"):
        lines.cut(0)
    lines.mend(0)
    with pytest.raises(NotNow, match="no root"):
        lines.part(["127.0.0.1"], ["127.0.0.1"])
    lines.unite()
    assert list(itertools.islice(lines.nodes(), 2)) == ["127.0.0.1"] * 2


class Written(network.Loopback):
    """Lines of which it is written down what befell them."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def cut(self, host: int) -> None:
        self.said.append(f"cut {host}")

    def deafen(self, host: int) -> None:
        self.said.append(f"deafen {host}")

    def slow(self, host: int, kbit_s: int) -> None:
        self.said.append(f"slow {host}")

    def mend(self, host: int) -> None:
        self.said.append(f"mend {host}")


def test_a_strike_harms_a_line_and_mends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nemeses, "LENGTHS_S", ((0.01, 0.02),) * 3)
    lines, notes = Written(), list[str]()
    stage = Stage(None, None, ["a host"], [], lambda what, **_: notes.append(what), lines)
    for nemesis in nemeses.nemeses(stage):
        nemesis.strike(random.Random(1))
        nemesis.heal()
    assert lines.said == ["cut 0", "mend 0", "deafen 0", "mend 0", "slow 0", "mend 0"]
    assert notes[:2] == ["cut a host off", "cut a host off: over"]


def test_without_a_network_nothing_is_struck() -> None:
    stage = Stage(None, None, ["a host"], [], lambda what, **_: None, network.Loopback("no root"))
    for nemesis in nemeses.nemeses(stage):
        with pytest.raises(NotNow, match="no root"):
            nemesis.strike(random.Random(1))
