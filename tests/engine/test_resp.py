"""RESP on a wire: where messages end, what they say, and addresses exchanged (support/resp.py)."""

import pytest

from ganger.wire.link import pack
from support import resp

MESSAGES = [
    b"+OK\r\n",
    b"-ERR no\r\n",
    b":7\r\n",
    b"$-1\r\n",
    b"$0\r\n\r\n",
    b"$4\r\n\r\n\r\n\r\n",
    b"*-1\r\n",
    b"*0\r\n",
    b"*2\r\n$1\r\na\r\n*2\r\n:1\r\n*1\r\n$-1\r\n",
    b"%1\r\n+a\r\n*1\r\n:1\r\n",
    b"_\r\n",
    b"=5\r\ntxt:a\r\n",
]


@pytest.mark.parametrize("message", MESSAGES)
def test_a_message_ends_where_it_ends_and_not_before(message: bytes) -> None:
    assert resp.end_of(message + b"+next\r\n") == len(message)
    for cut in range(len(message)):
        assert resp.end_of(message[:cut]) is None
    if not message.startswith(b"%"):
        assert resp.written(resp.read(message)) == message


def test_what_is_no_message_is_told() -> None:
    with pytest.raises(resp.NotResp):
        resp.end_of(b"GET / HTTP/1.1\r\n")


def test_the_words_of_a_request() -> None:
    assert resp.words(pack(("SET", b"k\r\n", 7))) == [b"SET", b"k\r\n", b"7"]


def test_redirections_name_other_ports() -> None:
    ports = {7000: 9000}
    assert resp.redirected(b"-MOVED 12 127.0.0.1:7000\r\n", ports) == b"-MOVED 12 127.0.0.1:9000\r\n"
    assert resp.redirected(b"-ASK 7000 ::1:7000\r\n", ports) == b"-ASK 7000 ::1:9000\r\n"
    assert resp.redirected(b"-MOVED 12 :7001\r\n", ports) == b"-MOVED 12 :7001\r\n"
    assert resp.redirected(b"$4\r\n7000\r\n", ports) == b"$4\r\n7000\r\n"


def test_slots_keep_their_numbers_and_nodes_get_other_ports() -> None:
    slots = b"*1\r\n*3\r\n:7000\r\n:8000\r\n*3\r\n$9\r\n127.0.0.1\r\n:7000\r\n$2\r\nid\r\n"
    assert resp.readdressed(slots, {7000: 9000}) == slots.replace(b"1\r\n:7000", b"1\r\n:9000")
    shards = b"*1\r\n*4\r\n$5\r\nslots\r\n*2\r\n:7000\r\n:8000\r\n$5\r\nnodes\r\n*1\r\n*2\r\n"
    shards += b"$4\r\nport\r\n:7000\r\n"
    assert resp.readdressed(shards, {7000: 9000}) == shards.replace(b"port\r\n:7000", b"port\r\n:9000")
