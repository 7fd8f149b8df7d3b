"""The demo, shortened, with everything real: supervisor, servers, saboteurs."""

import json
from pathlib import Path

import pytest

from gangerd.demo.verdict import CAUSES
from support.command import ganger


@pytest.mark.system
def test_the_demo_shows_what_it_promises(tmp_path: Path) -> None:
    done = ganger("demo", "--limit", "60", "--json", cwd=tmp_path, timeout_s=90)
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    assert (shown["ok"], shown["files"], shown["indexed"]) == (True, 60, 60)
    for name, jid in shown["saboteurs"].items():
        causes = [crash["cause"] for crash in shown["crashes"] if crash["jid"] == jid]
        assert len(causes) == 2
        assert set(causes) <= CAUSES[name]
    assert list(tmp_path.iterdir()) == [], "nothing is left behind"
