"""The mailbox between two processes: full, closed, garbled, with descriptors aboard."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from gangerd.linux.channel import MAX_MESSAGE_BYTES, Channel, Closed, MessageTooLarge, pair
from support import children


def decode(data: bytes) -> str:
    return data.decode("ascii")


def open_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.fixture
def ends() -> Iterator[tuple[Channel[str], Channel[str]]]:
    left, right = (Channel(end, str.encode, decode) for end in pair())
    yield left, right
    left.close()
    right.close()


def test_messages_arrive_whole_and_in_order(ends: tuple[Channel[str], Channel[str]]) -> None:
    left, right = ends
    texts = ["a", "b" * MAX_MESSAGE_BYTES, "c"]
    assert all(left.send(text) for text in texts)
    assert right.receive() == [(text, ()) for text in texts]
    assert right.receive() == []


def test_a_full_mailbox_refuses_and_takes_again(ends: tuple[Channel[str], Channel[str]]) -> None:
    left, right = ends
    sent = 0
    while left.send(str(sent)):
        sent += 1
        assert sent < 1_000_000
    assert sent > 100
    received: list[str] = []
    while batch := right.receive():
        received += [text for text, _ in batch]
    assert received == [str(number) for number in range(sent)]
    assert left.send("again")


def test_the_end_comes_after_every_message(ends: tuple[Channel[str], Channel[str]]) -> None:
    left, right = ends
    for text in ("one", "two"):
        left.send(text)
    left.close()
    assert [text for text, _ in right.receive()] == ["one", "two"]
    with pytest.raises(Closed):
        right.receive()
    with pytest.raises(Closed):
        right.send("anyone?")


def test_last_words_survive_a_death_with_unread_mail(ends: tuple[Channel[str], Channel[str]]) -> None:
    """A peer that dies with mail unread gives ECONNRESET before its own last messages."""
    left, right = ends
    right.send("never read")
    left.send("last words")
    left.close()
    received: list[str] = []
    with pytest.raises(Closed):
        while True:
            received += [text for text, _ in right.receive()]
    assert received == ["last words"]


def test_sending_to_one_who_died_with_unread_mail(ends: tuple[Channel[str], Channel[str]]) -> None:
    left, right = ends
    right.send("never read")
    left.close()
    with pytest.raises(Closed):
        right.send("more")


def test_garbage_is_counted_and_skipped(ends: tuple[Channel[str], Channel[str]]) -> None:
    left, right = ends
    raw = Channel[bytes](os.dup(left.fileno()), bytes, bytes)
    left.send("before")
    raw.send(b"\xff\xfe", fds=(0,))
    os.write(left.fileno(), b"")
    left._socket.send(b"x" * (MAX_MESSAGE_BYTES + 1))
    left.send("after")
    opened = open_descriptors()
    assert [text for text, _ in right.receive()] == ["before", "after"]
    assert right.garbage >= 2
    assert open_descriptors() == opened, "the descriptors of garbage must be closed"
    raw.close()


def test_an_empty_datagram_is_no_end_of_file(ends: tuple[Channel[str], Channel[str]]) -> None:
    left, right = ends
    left._socket.send(b"")
    left.send("still here")
    assert [text for text, _ in right.receive()][-1] == "still here"


def test_an_impossible_message_is_refused(ends: tuple[Channel[str], Channel[str]]) -> None:
    left, _ = ends
    for text in ("", "x" * (MAX_MESSAGE_BYTES + 1)):
        with pytest.raises(MessageTooLarge):
            left.send(text)


def test_descriptors_ride_along(ends: tuple[Channel[str], Channel[str]]) -> None:
    left, right = ends
    reader, writer = os.pipe()
    left.send("pipe", fds=(writer, writer))
    os.close(writer)
    [(text, fds)] = right.receive()
    assert text == "pipe" and len(fds) == 2
    assert not any(os.get_inheritable(fd) for fd in fds)
    os.write(fds[1], b"through")
    for fd in fds:
        os.close(fd)
    assert os.read(reader, 100) == b"through" and os.read(reader, 1) == b""
    os.close(reader)


def test_the_kernel_says_who_sent() -> None:
    ours, theirs = pair()
    listener = Channel[str](ours, str.encode, decode, credentials=True)
    speaker = Channel[str](theirs, str.encode, decode)

    def speak() -> None:
        speaker.send("ready")
        children.hang()

    with children.child(speak) as pid:
        assert children.readable(listener.fileno())
        assert [text for text, _ in listener.receive()] == ["ready"]
        assert listener.sender_pid == pid
        speaker.close()
        os.kill(pid, signal.SIGKILL)
        assert children.readable(listener.fileno())
        with pytest.raises(Closed):
            listener.receive()
    listener.close()
