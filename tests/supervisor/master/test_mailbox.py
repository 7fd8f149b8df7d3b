"""A mailbox that is full keeps what it was given, in order, and hands over what it was given to hand over."""

import os
import socket

from gangerd.linux import channel
from gangerd.linux.channel import Channel
from gangerd.master.mailbox import MAX_QUEUED, Mailbox
from gangerd.messages import Go, Message, Spawn, Wake, decode, encode


def pair() -> tuple[Mailbox, Channel[Message]]:
    ours, theirs = channel.pair()
    return Mailbox(ours), Channel(theirs, encode, decode)


def drain(mailbox: Mailbox, other: Channel[Message]) -> list[Message]:
    got: list[Message] = []
    while received := other.receive():
        got += [message for message, _ in received]
        mailbox.flush()
    return got


def test_more_than_a_channel_holds_arrives_in_order() -> None:
    mailbox, other = pair()
    sent = [Spawn(slot, f"{slot:016x}", 1) for slot in range(900)]
    for message in sent:
        mailbox.send(message)
    assert mailbox.busy()
    assert drain(mailbox, other) == sent
    assert not mailbox.busy()


def test_what_is_handed_over_is_ours_no_more_once_it_has_gone() -> None:
    mailbox, other = pair()
    near, far = socket.socketpair()
    while not mailbox.busy():
        mailbox.send(Wake())
    mailbox.send(Go(), hand_over=far)
    assert far.fileno() >= 0, "still queued: it must be kept"
    got: list[tuple[Message, tuple[int, ...]]] = []
    while received := other.receive():
        got += received
        mailbox.flush()
    assert far.fileno() == -1
    assert [type(message) for message, fds in got if fds] == [Go]
    os.close(got[-1][1][0])
    assert near.recv(1) == b"", "their copy was the last one"


def test_a_mailbox_nobody_empties_has_a_bound() -> None:
    mailbox, _other = pair()
    for _ in range(MAX_QUEUED + 1000):
        mailbox.send(Wake())
    assert mailbox.dropped > 0


def test_the_end_of_the_other_side_is_told_after_its_last_words() -> None:
    mailbox, other = pair()
    other.send(Wake())
    other.close()
    assert mailbox.receive() == ([(Wake(), ())], False)
    assert mailbox.receive() == ([], True)
    mailbox.send(Go())  # into the void, without a word


def test_closing_closes_what_was_never_handed_over() -> None:
    mailbox, _other = pair()
    near, far = socket.socketpair()
    while not mailbox.busy():
        mailbox.send(Wake())
    mailbox.send(Go(), hand_over=far)
    mailbox.close()
    assert near.recv(1) == b""
