"""A few commands to an embedded server: enough RESP to set it up and to stop it.

Setting up needs neither slot map nor retries, so the engine's transport is not used here, and the servers
role stays free of it."""

import socket
from typing import BinaryIO

Reply = bytes | int | None | list["Reply"]


class Refusal(Exception):
    """The server answered with an error."""


def ask(port: int, password: str, *commands: tuple[str, ...], timeout_s: float = 1.0) -> Reply:
    """Log in, send the commands one after the other, return the last reply.

    Raises OSError when the server is not there or says nothing in time (ConnectionError when it hangs up,
    as it does after SHUTDOWN), Refusal when it answers with an error."""
    reply: Reply = None
    connection = socket.create_connection(("127.0.0.1", port), timeout=timeout_s)
    with connection, connection.makefile("rb") as replies:
        for command in (("AUTH", password), *commands):
            words = [word.encode() for word in command]
            packed = b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)
            connection.sendall(b"*%d\r\n" % len(words) + packed)
            reply = _read(replies)
    return reply


def _read(replies: BinaryIO) -> Reply:
    line: bytes = replies.readline()
    if not line.endswith(b"\r\n"):
        raise ConnectionResetError("the server hung up")
    kind, rest = line[:1], line[1:-2]
    if kind == b"-":
        raise Refusal(rest.decode(errors="replace"))
    if kind == b":":
        return int(rest)
    if kind == b"$":
        if rest == b"-1":
            return None
        return bytes(replies.read(int(rest) + 2)[:-2])
    if kind == b"*":
        return [_read(replies) for _ in range(int(rest))]
    return rest
