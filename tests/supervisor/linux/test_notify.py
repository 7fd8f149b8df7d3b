"""sd_notify against a real datagram socket in systemd's place."""

import contextlib
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gangerd.linux.notify import Notifier


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    address = str(tmp_path / "notify") if request.param == "path" else f"@ganger-test-{os.getpid()}"
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiver.bind("\0" + address[1:] if address.startswith("@") else address)
    receiver.settimeout(5)
    yield receiver, address
    receiver.close()


def test_what_systemd_hears(manager: tuple[socket.socket, str]) -> None:
    receiver, address = manager
    notifier = Notifier(address)
    assert notifier.ready() and notifier.stopping() and notifier.watchdog()
    assert notifier.status("8 workers,\n 3 busy") and notifier.status("8 workers, 3 busy")
    assert notifier.extend_timeout(2.5)
    assert notifier.reloading()
    assert [receiver.recv(1000) for _ in range(5)] == [
        b"READY=1",
        b"STOPPING=1",
        b"WATCHDOG=1",
        b"STATUS=8 workers, 3 busy",
        b"EXTEND_TIMEOUT_USEC=2500000",
    ]
    reloading, stamp = receiver.recv(1000).decode().split("\n")
    assert reloading == "RELOADING=1" and stamp.startswith("MONOTONIC_USEC=")
    assert abs(int(stamp.partition("=")[2]) / 1e6 - time.monotonic()) < 60
    notifier.close()
    assert not notifier.ready()


def test_a_manager_that_does_not_listen_blocks_nobody(manager: tuple[socket.socket, str]) -> None:
    receiver, address = manager
    notifier = Notifier(address)
    heard = 0
    while notifier.watchdog():
        heard += 1
        assert heard < 100_000
    receiver.close()
    assert not notifier.watchdog()


def test_what_a_busy_manager_did_not_take_is_said_again_in_its_order(
    manager: tuple[socket.socket, str],
) -> None:
    receiver, address = manager
    notifier = Notifier(address)
    while notifier.watchdog():
        pass
    assert not notifier.reloading() and not notifier.ready() and not notifier.flush()
    assert not notifier.status("3 workers")
    receiver.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            assert receiver.recv(1000) == b"WATCHDOG=1"
    assert notifier.flush() and notifier.status("3 workers")
    assert receiver.recv(1000).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
    assert [receiver.recv(1000) for _ in range(2)] == [b"READY=1", b"STATUS=3 workers"]


def test_the_environment_is_taken_away_from_children() -> None:
    env = {
        "NOTIFY_SOCKET": "/run/x",
        "WATCHDOG_USEC": "3000000",
        "WATCHDOG_PID": str(os.getpid()),
        "HOME": "/",
    }
    assert Notifier.from_environment(env).watchdog_interval_s == 0.75
    assert env == {"HOME": "/"}


@pytest.mark.parametrize(
    "env",
    [
        {},
        {"NOTIFY_SOCKET": ""},
        {"NOTIFY_SOCKET": "vsock:2:1"},
        {"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"},
    ],
)
def test_no_watchdog_is_asked_of_us(env: dict[str, str]) -> None:
    notifier = Notifier.from_environment(env)
    assert notifier.watchdog_interval_s is None
    assert not notifier.ready()
