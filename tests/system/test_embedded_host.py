"""The host that brings its own servers: everything it knows is in its directory."""

import json
from pathlib import Path

import pytest

from support import incident_app as app
from support.command import document, ganger
from support.gang import TESTS, Gang, alive
from support.journal import VARIABLE, Journal
from support.waiting import until


@pytest.mark.timeout(90)
def test_a_host_with_embedded_servers_is_killed_whole_and_comes_back_with_its_jobs(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    env = {VARIABLE: str(journal.directory)}
    root, gate = tmp_path / "host", tmp_path / "gate"
    gang = Gang(root, env, workers=2, settings={"embedded": True}).serving()
    try:
        client = {**env, "PYTHONPATH": str(TESTS)}
        running = _push(root, client, app.first_at_gate.name, str(gate), 0)
        later = _push(root, client, app.healthy.name, 1, delay=2)
        until(lambda: journal.begun(running) == 1, "its begin", 20)
        assert document("health", cwd=root) == {"live": True, "ready": True, "reasons": [], "workers": 2}
        old = gang.pids()
        gang.crash()
        until(lambda: not any(alive(pid) for pid in old), "the end of every process, the servers' too")
        assert ganger("health", cwd=root).stdout.endswith("no master runs here\n")
        gang.start()
        gang.serving()
        until(lambda: journal.begun(running) == 2, "its second begin", 20)
        shown = document("job", "show", running, cwd=root, env=client)
        assert (shown["state"], shown["attempt"], shown["lost"]) == ("working", 1, 1)
        gate.touch()
        until(lambda: journal.ended(running) == journal.ended(later) == 1, "both ends", 20)
        pids = gang.pids()
        assert gang.drain() == 0
        assert ganger("health", "--live", cwd=root).returncode == 1
        assert not any(alive(pid) for pid in pids)
    finally:
        gang.close()


def _push(root: Path, env: dict[str, str], kind: str, *args: object, delay: float = 0) -> str:
    """With the command, as from a shell."""
    options = ["--delay", str(delay)] if delay else []
    done = ganger("push", kind, json.dumps(args), *options, cwd=root, env=env)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()[-1]
