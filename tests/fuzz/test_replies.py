"""Whatever a server answers, or a job's bytes turn out to be: a value or a named error, in time."""

import contextlib
import math
import random
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ganger.arguments import Signature, plain
from ganger.cluster import Cluster, Command
from ganger.config import RedisSettings
from ganger.errors import GangerError
from ganger.job import Body, Entry, Garbled, Record, State, decode_body, decode_state, encode_body, read_entry
from ganger.keys import partitions
from ganger.label import Label, encode, split, with_member
from ganger.parcel import decode as decode_parcel
from ganger.retry import Failure, Policy, decide
from ganger.wire.node import Node, read_address
from ganger.wire.replies import classify
from ganger.wire.server_check import check_server, read_info
from support.children import readable
from support.fuzzing import anything, fuzz, json_values

PLACE = partitions("ganger", "mail", 12)[3]
INFO = ["redis_version", "cluster_enabled", "maxmemory_policy", "maxmemory", "server_time_usec"]
lines = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [
            b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n",
            b"+OK\r\n",
            b"$-1\r\n",
            b"*-1\r\n",
            b":5\r\n",
            b"-ERR no\r\n",
            b"-MOVED\r\n",
            b"-MOVED 5\r\n",
            b"-MOVED 1 ::x\r\n",
            b"-MOVED 1 127.0.0.1:999999\r\n",
            b"-ASK 1 :\r\n",
            b"-ASK x y:z\r\n",
            b"-MOVED 9 host:\xff\r\n",
            b"-\xff\r\n",
            b"$5\r\n\xff\xff\r\n",
            b"*2\r\n:1\r\n",
            b"*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$1\r\nx\r\n:70000\r\n",
            b"*1\r\n*3\r\n:0\r\n:99999\r\n*2\r\n$0\r\n\r\n:1\r\n",
            b"*1\r\n*3\r\n$1\r\na\r\n:5\r\n:5\r\n",
            b"*1\r\n:5\r\n",
            b"*99999999999\r\n",
            b"$99999999999\r\nx",
            b"(1\r\n",
            b"*1\r\n" * 3000,
            b"%1\r\n+a\r\n+b\r\n",
            b"-LOADING\r\n",
        ]
    ),
)


class Liar:
    """A server that answers whatever it is asked with the next of its lines, then again from the first."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                link, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(link,), daemon=True).start()

    def _answer(self, link: socket.socket) -> None:
        with link, contextlib.suppress(OSError):
            turn = 0
            while link.recv(65536):
                said = self.lines
                if not said or said[turn % len(said)] == b"":
                    return
                link.sendall(said[turn % len(said)])
                turn += 1

    def close(self) -> None:
        self._listening.close()


@pytest.fixture(scope="module")
def liar() -> Iterator[Liar]:
    made = Liar()
    yield made
    made.close()


SLOTS = b"*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$9\r\n127.0.0.1\r\n:%d\r\n"


@fuzz(25)
@given(said=st.lists(lines, max_size=4), knows_slots=st.booleans(), call=st.integers(0, 4))
@example(said=[b"HTTP/1.1 400 Bad Request\r\n\r\n"], knows_slots=False, call=0)
@example(said=[b"HTTP/1.1 400 Bad Request\r\n\r\n"], knows_slots=True, call=1)
@example(said=[b"HTTP/1.1 400 Bad Request\r\n\r\n"], knows_slots=True, call=2)
def test_any_reply_of_a_server(said: list[bytes], knows_slots: bool, call: int, liar: Liar) -> None:
    liar.lines = [SLOTS % liar.port, *said] if knows_slots else said
    settings = RedisSettings(
        nodes=(("127.0.0.1", liar.port),),
        password="x" if call == 4 else None,
        socket_timeout_s=0.02,
        connect_timeout_s=0.2,
    )
    cluster = Cluster(settings)
    get = Command(7, ("GET", "x"))
    calls: list[Callable[[], Any]] = [
        lambda: cluster.check(deadline_s=0.1),
        lambda: [cluster.run(get, deadline_s=0.1) for _ in range(3)],
        lambda: cluster.run_many([get, get], deadline_s=0.1),
        lambda: cluster.run(get, deadline_s=0.1, replicas=1),
        lambda: _listen(cluster, liar.port),
    ]
    try:
        for _ in range(2):
            try:
                calls[call]()
            except GangerError as error:
                assert str(error)
    finally:
        cluster.close()


def _listen(cluster: Cluster, port: int) -> None:
    subscription = cluster.connection(Node("127.0.0.1", port), deadline_s=0.1)
    with contextlib.closing(subscription):
        subscription.ssubscribe([b"x", b"y"])
        readable(subscription, 0.02)
        subscription.read()


@fuzz(100)
@given(
    text=st.one_of(
        st.text(max_size=40),
        st.builds(
            lambda code, rest: f"{code} {rest}",
            st.sampled_from(["MOVED", "ASK", "ERR", "LOADING"]),
            st.text(max_size=20),
        ),
    )
)
def test_any_error_is_classified(text: str) -> None:
    verdict = classify(text)
    if verdict.target:
        assert 0 <= read_address(verdict.target, Node("h", 1)).port < 66_000


@fuzz(60)
@given(
    text=st.one_of(
        st.binary(max_size=60),
        st.dictionaries(
            st.sampled_from(INFO),
            st.text(max_size=8),
        ).map(lambda info: "\r\n".join(f"{k}:{v}" for k, v in info.items()).encode("utf-8", "replace")),
    )
)
@example(text="redis_version:7.²".encode())
def test_any_info(text: bytes) -> None:
    with contextlib.suppress(GangerError):
        check_server(Node("h", 1), read_info(text), now_ms=0)


raw = st.one_of(
    st.binary(max_size=60),
    json_values.map(msgspec.json.encode),
    st.integers(1, 3000).map(lambda depth: b"[" * depth),
    st.integers(1, 3000).map(lambda depth: b'{"args":' * depth),
)


@fuzz(150)
@given(data=raw, label=st.one_of(st.just(b""), st.binary(max_size=20).map(lambda line: line + b"\n")))
def test_any_bytes_as_body_state_record_entry_parcel(data: bytes, label: bytes) -> None:
    for read in (decode_body, decode_state):
        with contextlib.suppress(msgspec.DecodeError):
            read(label + data)
    assert Record.read(label + data).type and Record.read(b"t\n5\n%d\n" % len(data) + data + label)
    for fields in (
        [b"j", b"x", b"t", b"t", b"b", data, b"s", data],
        [b"j", data, b"t", data, b"b", data, b"p", data],
        [data],
    ):
        for stream in (0, 5):
            assert isinstance(read_entry(PLACE, stream, b"1-1", fields), Entry | Garbled)
    with contextlib.suppress(ValueError):
        decode_parcel("ganger", label + data)
    with contextlib.suppress(ValueError):
        split(with_member(label + data, "b-1:2"))


counts = st.one_of(st.integers(0, 40), st.integers(-(2**40), 2**40))


@fuzz(100)
@given(
    attempts=counts,
    crashes=counts,
    lost=counts,
    cause=st.sampled_from(["exception", "segfault", "lost", "released", "timeout", "odd"]),
    delay=st.one_of(st.none(), st.floats(allow_nan=False)),
    overrides=st.dictionaries(st.sampled_from(["retry", "timeout", "backoff"]), anything, max_size=2),
)
def test_any_state_leads_to_a_decision(
    attempts: int, crashes: int, lost: int, cause: str, delay: float | None, overrides: dict[str, Any]
) -> None:
    try:
        policy = Policy.from_manifest({}, overrides)
    except msgspec.ValidationError:
        policy = Policy()
    made = decide(policy, State(attempts, crashes, lost), Failure(cause, delay_s=delay), random.Random(1))
    assert msgspec.json.encode(made.state)


label_texts = st.one_of(st.none(), st.text(max_size=8), st.text("abc-:.0", min_size=1, max_size=8))


@fuzz(100)
@given(
    expires=st.one_of(st.none(), st.integers(0, 2**63)),
    unique=label_texts,
    member=label_texts,
    track=st.one_of(st.none(), st.integers(1, 2**53)),
    run=label_texts,
    args=st.lists(json_values, max_size=3),
)
def test_a_label_comes_back_as_it_was(
    expires: int | None,
    unique: str | None,
    member: str | None,
    track: int | None,
    run: str | None,
    args: list[Any],
) -> None:
    label = Label(expires, unique, unique is not None and args == [], member, track, run)
    try:
        encode(label)
    except ValueError:
        return
    try:
        data = encode_body(Body(args), label)
    except (OverflowError, ValueError, TypeError, msgspec.EncodeError):
        return
    assert split(data) == (label, encode_body(Body(args)))


class Point(msgspec.Struct):
    x: int
    y: float = 0.0


def typed(
    first: int, second: list[str] | None = None, *rest: float, point: Point | None = None, **more: bytes
) -> None: ...
def untyped(first, second=None, *rest, **more): ...  # type: ignore[no-untyped-def]


TYPED, UNTYPED = Signature(typed), Signature(untyped)
selfish: list[Any] = []
selfish.append(selfish)


@fuzz(150)
@given(
    args=st.lists(anything, max_size=4),
    kwargs=st.dictionaries(
        st.one_of(st.sampled_from(["first", "second", "point", "x"]), st.text(max_size=4)),
        anything,
        max_size=3,
    ),
)
@example(args=[selfish], kwargs={})
@example(args=[1, math.nan], kwargs={"point": {"x": 1, "y": math.inf}})
def test_any_arguments_fit_or_are_refused(args: list[Any], kwargs: dict[str, Any]) -> None:
    for signature in (TYPED, UNTYPED):
        with contextlib.suppress(GangerError):
            given_args, given_kwargs = signature.for_push(args, kwargs)
            data = encode_body(Body([plain(one, "x") for one in given_args], dict(given_kwargs)))
            found = decode_body(data)
            signature.for_run(found.args, found.kwargs)
        with contextlib.suppress(GangerError):
            signature.for_run(args, kwargs)
