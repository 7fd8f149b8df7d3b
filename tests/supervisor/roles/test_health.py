"""The health role, started by a master, asked as probes ask and as nobody should."""

import json
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gangerd.health import Health
from gangerd.roles.health import http
from gangerd.roles.health.server import listen
from support.masters import MasterProcess, gone, master
from support.waiting import until

WELL = Health(True, True, [], 2)
DRAINING = Health(False, False, ["the service is starting or ending"], 0)


def ask(address: Path, request: str = "GET /live HTTP/1.1\r\nHost: x\r\n\r\n") -> tuple[int, dict[str, Any]]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
        caller.settimeout(10)
        caller.connect(str(address))
        caller.sendall(request.encode())
        reply = b""
        while part := caller.recv(4096):
            reply += part
    head, _, body = reply.decode().partition("\r\n\r\n")
    return int(head.split()[1]), json.loads(body) if body else {}


# ---- the words


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /live HTTP/1.1\r\n\r\n", 200),
        (b"GET /ready?full=1 HTTP/1.0\r\n\r\n", 200),
        (b"HEAD / HTTP/1.1\n\n", 200),
        (b"POST /live HTTP/1.1\r\n\r\n", 405),
        (b"GET /status HTTP/1.1\r\n\r\n", 404),
        (b"PING\r\n\r\n", 400),
        (b"GET /live HTTP/2\r\n\r\n", 400),
        (b"", 400),
        (b"GET /" + b"a" * 5000, 400),
    ],
)
def test_a_request_and_its_status(request_: bytes, status: int) -> None:
    reply = http.answer(request_, lambda: WELL)
    head, _, body = reply.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert bool(body) is not request_.startswith(b"HEAD")


def test_what_is_not_well_is_503_with_the_reasons() -> None:
    reply = http.answer(b"GET /ready HTTP/1.1\r\n\r\n", lambda: DRAINING)
    assert reply.startswith(b"HTTP/1.1 503 ")
    assert json.loads(reply.partition(b"\r\n\r\n")[2])["reasons"] == DRAINING.reasons
    alive = Health(False, True, ["no worker may take a job"], 0)
    assert http.answer(b"GET /ready HTTP/1.1\r\n\r\n", lambda: alive).startswith(b"HTTP/1.1 200 ")
    assert http.answer(b"GET /live HTTP/1.1\r\n\r\n", lambda: alive).startswith(b"HTTP/1.1 503 ")


# ---- the role


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[MasterProcess, Path]]:
    address = tmp_path / "health.sock"
    with master(tmp_path, health=f"unix:{address}", redis="redis://:hush@127.0.0.1:1") as found:
        found.await_log("master.serving")
        until(address.exists, "the socket")
        yield found, address


def test_it_follows_the_service(running: tuple[MasterProcess, Path]) -> None:
    host, address = running
    until(lambda: ask(address)[0] == 200, "live")
    status, body = ask(address, "GET / HTTP/1.1\r\n\r\n")
    assert status == 200 and body == {"live": True, "ready": True, "reasons": [], "workers": 2}
    pid = host.start_job(0)
    host.signal(signal.SIGTSTP)
    until(lambda: ask(address)[0] == 503, "no worker may claim")
    assert ask(address, "GET /ready HTTP/1.1\r\n\r\n")[0] == 200
    host.signal(signal.SIGTERM)
    until(lambda: ask(address, "GET /ready HTTP/1.1\r\n\r\n")[0] == 503, "not ready in a drain")
    os.kill(pid, signal.SIGKILL)
    assert host.wait() == 0
    assert not address.exists()


def test_a_slow_caller_and_a_crowd_keep_nobody_waiting(running: tuple[MasterProcess, Path]) -> None:
    _, address = running
    callers = []
    for _ in range(60):
        caller = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        caller.settimeout(10)
        caller.connect(str(address))
        caller.sendall(b"GET /li")
        callers.append(caller)
    until(lambda: ask(address)[0] == 200, "an answer beside them")
    assert [caller.recv(10) for caller in callers] == [b""] * 60  # hung up on
    for caller in callers:
        caller.close()


def test_a_socket_is_for_the_account_and_its_group(running: tuple[MasterProcess, Path]) -> None:
    until(lambda: running[1].stat().st_mode & 0o777 == 0o660, "its mode")


def test_its_death_is_nobody_else_s(running: tuple[MasterProcess, Path]) -> None:
    """It is started again, over the socket that it left behind."""
    host, address = running
    workers = [host.worker(0), host.worker(1)]
    os.kill(host.role_pid("health"), signal.SIGKILL)
    second = host.role_pid("health", 1)
    until(lambda: ask(address)[0] == 200, "the next one answers")
    assert not gone(second) and not any(gone(pid) for pid in workers)


def test_an_address_that_can_t_be_had_stops_nothing(tmp_path: Path) -> None:
    taken = listen("127.0.0.1:0")
    port = taken.getsockname()[1]
    with master(tmp_path, health=f"127.0.0.1:{port}") as host:
        host.await_log("master.serving")
        said = host.await_log("health.unserved")[0]
        assert str(port) in said["address"] and "hush" not in json.dumps(said)
        taken.close()

        def answers() -> bool:
            try:
                with socket.create_connection(("127.0.0.1", port), 10) as caller:
                    caller.sendall(b"HEAD /ready HTTP/1.0\r\n\r\n")
                    return caller.recv(100).startswith(b"HTTP/1.1 200")
            except OSError:
                return False

        until(answers, "it listens when the port is free")


def test_a_file_in_the_socket_s_place_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("x")
    with pytest.raises(OSError):
        listen(f"unix:{path}")
    assert path.read_text() == "x"
