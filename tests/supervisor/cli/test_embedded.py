"""The embedded servers, by the installed command: real servers that come, go and come back."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gangerd.embedded import binary, layout, wire
from gangerd.errors import NoServerBinary
from support.command import ganger, running
from support.servers import binary_path
from support.waiting import until


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.stderr and process.stderr.read()
    return line


def shard(known: dict[str, Any]) -> tuple[int, str]:
    found = re.fullmatch(r"redis://:(.+)@127\.0\.0\.1:(\d+).*", known["redis"])
    assert found
    return int(found[2]), found[1]


def pids_in(place: Path) -> list[int]:
    """Every process that works in this directory."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and place in (entry / "cwd").readlink().parents:
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def answer(port: int, password: str, *command: str) -> wire.Reply:
    try:
        return wire.ask(port, password, command)
    except (OSError, wire.Refusal):
        return None


def test_they_survive_everything_but_their_orderly_end(tmp_path: Path) -> None:
    """A killed server and a killed keeper cost no data, and the ports stay; INT ends all of them in order."""
    place = tmp_path / ".ganger"
    with running("embedded", cwd=tmp_path) as keeper:
        assert first_line(keeper).startswith("export GANGER_REDIS='redis://:")
        known = json.loads((place / "embedded.json").read_text())
        port, password = shard(known)
        assert known["pid"] == keeper.pid
        for secret in (place / "embedded.json", place / "servers/layout.json", *place.rglob("server.conf")):
            assert secret.stat().st_mode & 0o77 == 0
            assert password in secret.read_text()
        servers = pids_in(place)
        assert len(servers) == 2
        assert not any(password.encode() in Path(f"/proc/{pid}/cmdline").read_bytes() for pid in servers)
        assert all(os.getsid(pid) != os.getsid(keeper.pid) for pid in servers)
        assert answer(port, password, "SET", "kept", "yes") == b"OK"

        victim = next(pid for pid in servers if "shard" in str(Path(f"/proc/{pid}/cwd").readlink()))
        os.kill(victim, signal.SIGKILL)
        until(lambda: answer(port, password, "GET", "kept") == b"yes", "the killed server is back")

        keeper.kill()
        until(lambda: not pids_in(place), "the servers end with their keeper")

    with running("embedded", cwd=tmp_path) as keeper:
        first_line(keeper)
        assert json.loads((place / "embedded.json").read_text())["redis"] == known["redis"]
        assert answer(port, password, "GET", "kept") == b"yes"
        keeper.send_signal(signal.SIGINT)
        assert keeper.wait(20) == 0
    assert not pids_in(place)
    assert not (place / "embedded.json").exists()

    # Somebody else has the port by now: then it is another one, and the data is the same.
    with socket.create_server(("127.0.0.1", port)), running("embedded", cwd=tmp_path) as keeper:
        first_line(keeper)
        other, _ = shard(json.loads((place / "embedded.json").read_text()))
        assert other != port
        assert answer(other, password, "GET", "kept") == b"yes"


def test_a_guest_uses_them_and_takes_over_when_the_keeper_leaves(tmp_path: Path) -> None:
    """With Debian's Redis where there is one: it serves as well as Valkey."""
    redis = binary_path("redis")
    env = {binary.OVERRIDE: redis} if redis else {}
    with running("embedded", "--shards", "3", cwd=tmp_path, env=env) as keeper:
        settings = first_line(keeper)
        assert settings.count("127.0.0.1:") == 3
        info = answer(*shard(json.loads((tmp_path / ".ganger/embedded.json").read_text())), "INFO", "server")
        assert isinstance(info, bytes)
        assert (b"valkey_version" in info) == (redis is None)
        with running("embedded", cwd=tmp_path) as guest:
            assert first_line(guest) == settings
            keeper.terminate()
            assert keeper.wait(20) == 0
            file = tmp_path / ".ganger/embedded.json"
            until(
                lambda: (layout.announced(file) or {}).get("pid") == guest.pid,
                "the guest keeps the servers",
            )
            assert json.loads(file.read_text())["redis"] in settings


def test_without_a_server_program_it_says_what_to_install(tmp_path: Path) -> None:
    done = ganger("embedded", cwd=tmp_path, env={binary.OVERRIDE: "/bin/true"})
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr == (
        "ganger: GANGER_SERVER_BINARY=/bin/true: does not say that it is Redis or Valkey.\n"
    )
    old = tmp_path / "redis-server"
    old.write_text("#!/bin/sh\necho 'Redis server v=6.2.1 sha=0:0 malloc=libc bits=64'\n")
    old.chmod(0o755)
    with pytest.raises(NoServerBinary, match=r"is Redis 6\.2, and 7\.0 is the oldest that serves"):
        binary.find({binary.OVERRIDE: str(old)})


def test_a_permit_is_to_be_had_at_once_and_found_without_settings(tmp_path: Path) -> None:
    """A server that nobody vouches for grants nothing for its first ten seconds."""
    code = """if True:
        from ganger import rate_limit, semaphore
        with semaphore("api", 1, wait=0):
            rate_limit("api", "9/h").take()
    """
    env = {name: value for name, value in os.environ.items() if not name.startswith("GANGER_")}
    with running("embedded", cwd=tmp_path) as keeper:
        first_line(keeper)
        done = subprocess.run(
            [sys.executable, "-c", code], env=env, cwd=tmp_path, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
