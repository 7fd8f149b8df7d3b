"""embedded/tail.py: zeros at the end of an append-only file, as a power cut leaves them."""

import socket
import time
from pathlib import Path

import pytest

from gangerd.embedded import binary, tail
from gangerd.embedded.server import START_S, Server
from support.waiting import until

COMMAND = b"*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n"


@pytest.mark.parametrize(
    ("content", "left"),
    [
        (b"", b""),
        (COMMAND, COMMAND),
        (COMMAND + bytes(1033), COMMAND),
        (COMMAND + bytes(200_000), COMMAND),
        (COMMAND + b"*2\r\n$4\r\nIN" + bytes(7), COMMAND + b"*2\r\n$4\r\nIN"),
        (bytes(65_536), b""),
        (b"$3\r\n\0\0\0\r\n", b"$3\r\n\0\0\0\r\n"),
    ],
    ids=["empty", "whole", "zeros", "many", "half a command", "nothing else", "zeros that were written"],
)
def test_zeros_at_the_end_go_and_nothing_else(tmp_path: Path, content: bytes, left: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    assert tail.cut_zeros(path) == len(content) - len(left)
    assert path.read_bytes() == left


def test_a_server_comes_back_after_a_power_cut(tmp_path: Path) -> None:
    lock = (tmp_path / "lock").open("w")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = Server(binary.find(), tmp_path / "server", port, "secret", cluster=False)

    def start() -> None:
        server.spawn(lock.fileno())
        server.await_ready(time.monotonic() + START_S)

    start()
    server.ask("SET", "kept", "yes")
    files = tmp_path / "server/appendonlydir"
    until(lambda: any(b"kept" in path.read_bytes() for path in files.glob("*.incr.aof")), "it is written")
    server.tell_to_stop()
    server.await_end(5)
    newest = max(files.glob("*.incr.aof"))
    with newest.open("ab") as file:
        file.write(b"*3\r\n$3\r\nSET\r\n$1" + bytes(1033))
    start()
    try:
        assert server.ask("GET", "kept") in (b"yes", "yes")
    finally:
        server.tell_to_stop()
        server.await_end(5)
        lock.close()
