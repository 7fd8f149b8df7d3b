"""What a job is while it lies in Redis: the body as pushed, the state that grows with failures, the entry.

`Body` is written once by the producer, behind the job's label if it has one, and never re-encoded: scripts
copy its bytes, so integers above 2^53 survive. `State` is small, empty for a fresh job, and rewritten whole
by whoever moves the job after a failure. `Entry` is one delivery of a job: its id in a stream is the lease
token. Pure: no I/O, no clock.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import msgspec

from ganger.errors import BadName
from ganger.keys import PRIORITIES, Partition, check_type
from ganger.label import NO_LABEL, Label, split
from ganger.label import encode as encode_label

MAX_FAILURES = 5
"""Failures that a state remembers; older ones are counted only."""
MAX_MESSAGE_BYTES = 1024
MAX_STACK_BYTES = 4096
MAX_JID_BYTES = 64
"""What `read_entry` takes for a jid: ours have 29 characters, a dead letter's made-up name more."""
_MAX_COUNT = 1 << 31


class Body(msgspec.Struct, frozen=True, omit_defaults=True):
    """The job as its producer pushed it; the handler's types are applied when it runs.

    `overrides` holds options given at this push that win over the type's own: retry, timeout, expires_in...
    """

    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    pushed_at_ms: int = 0
    overrides: dict[str, Any] = {}
    headers: dict[str, str] = {}
    """Texts that middlewares (and the push itself) send along."""
    sealed: str = ""
    """Args and kwargs encrypted, behind the key's id (sealing.py); then the two above are empty."""


class NewJob(NamedTuple):
    """A job to push. All jobs of a call are of one op: their jids were minted together."""

    jid: str
    type: str
    body: bytes
    state: bytes = b""


class FailureRecord(msgspec.Struct, frozen=True, array_like=True):
    """One failure, as `ganger job show` tells it."""

    cause: str
    error: str = ""
    """The exception's class, or a word for the signal."""
    message: str = ""
    at_ms: int = 0
    attempt: int = 1
    ran_ms: int = 0
    host: str = ""
    worker: str = ""
    stack: str = ""
    peak_rss_bytes: int = 0
    """The most memory that this run used, 0: not known."""
    evidence: str = ""
    """What else was found out, in a sentence."""
    generation: int = 0
    """Which import of the app it ran in, 0: not known."""


class State(msgspec.Struct, frozen=True, array_like=True):
    """What happened to the job so far. The blank state is stored as no bytes at all."""

    attempts: int = 0
    """Attempts used up; the one under way is number attempts + 1."""
    crashes: int = 0
    lost: int = 0
    released: int = 0
    revived: int = 0
    """Times it came back from the dead letters; attempts, crashes and lost count from there."""
    failures: list[FailureRecord] = []

    @property
    def attempt(self) -> int:
        """The number of the attempt that is under way or next: 1 for a fresh job."""
        return self.attempts + 1

    def with_failure(self, record: FailureRecord) -> list[FailureRecord]:
        """The failures to remember when this one is added: cut to size, the last MAX_FAILURES."""
        kept = msgspec.structs.replace(
            record,
            message=clip(record.message, MAX_MESSAGE_BYTES),
            error=clip(record.error, 200),
            stack=clip(record.stack, MAX_STACK_BYTES),
            evidence=clip(record.evidence, 300),
        )
        return [*self.failures, kept][-MAX_FAILURES:]

    def revive(self) -> "State":
        """The state of a dead letter that gets a new life: counts anew, failures kept as history."""
        return State(released=self.released, revived=self.revived + 1, failures=self.failures)


BLANK = State()


class Entry(msgspec.Struct, frozen=True):
    """One delivery of a job, named by (partition, stream, id). The id is the lease token.

    A struct and no dataclass, for one is made per job of each claim: 0.2 us against 1.5."""

    partition: Partition
    stream: int
    """0 = returned, 1..9 = ready of that priority, 10 = laned."""
    id: bytes
    jid: str
    type: str
    state: State
    body: bytes
    priority: int = 0
    """The job's own; with streams 0 and 10 it comes from the entry."""


_encode_body = msgspec.json.Encoder().encode
_body_decoder = msgspec.json.Decoder(Body)
_encode_state = msgspec.json.Encoder().encode
_state_decoder = msgspec.json.Decoder(State)


def encode_body(body: Body, label: Label = NO_LABEL) -> bytes:
    """Label and JSON. Raises as msgspec does for what JSON can't hold: arguments.py names the culprit
    before that."""
    return _encode_body(body) if label is NO_LABEL else encode_label(label) + _encode_body(body)


def read_body(data: bytes) -> tuple[Label, Body]:
    """Label and body. Raises msgspec.DecodeError like decode_body, ValueError for a label that is none."""
    if data[:1] == b"{":
        return NO_LABEL, _body_decoder.decode(data)
    label, rest = split(data)
    return label, _body_decoder.decode(rest)


def decode_body(data: bytes) -> Body:
    """What follows the label. Raises msgspec.DecodeError (ValidationError among them) for bytes that are no
    body."""
    try:
        return read_body(data)[1]
    except RecursionError:
        raise msgspec.DecodeError("it is nested too deep") from None
    except msgspec.DecodeError:
        raise
    except ValueError as error:
        raise msgspec.DecodeError(f"its label can't be read: {error}") from None


def encode_state(state: State) -> bytes:
    """No bytes for the blank state."""
    return b"" if state == BLANK else _encode_state(state)


def decode_state(data: bytes) -> State:
    """Raises msgspec.DecodeError for bytes that are no state."""
    try:
        return _state_decoder.decode(data) if data else BLANK
    except RecursionError:
        raise msgspec.DecodeError("it is nested too deep") from None


@dataclass(frozen=True, slots=True)
class Garbled:
    """A stream entry that is no job: report it, then failing.set_aside it."""

    partition: Partition
    stream: int
    id: bytes
    reason: str


def read_entry(
    partition: Partition, stream: int, id: bytes, fields: Sequence[bytes] | None
) -> Entry | Garbled:
    """The entry that a stream holds, whatever its bytes are."""
    try:
        named = dict(zip(fields[::2], fields[1::2], strict=True)) if fields else {}
        jid, type, body = named[b"j"].decode(), check_type(named[b"t"].decode()), named[b"b"]
        if not 0 < len(named[b"j"]) <= MAX_JID_BYTES:
            return Garbled(partition, stream, id, f"a jid of {len(named[b'j'])} bytes")
        priority = stream if stream in PRIORITIES else int(named.get(b"p", b"5"))
        if priority not in PRIORITIES:
            return Garbled(partition, stream, id, f"there is no priority {priority}")
        state = decode_state(named.get(b"s", b""))
        if not 0 <= state.attempts < _MAX_COUNT:
            return Garbled(partition, stream, id, f"it says that {state.attempts} attempts were made")
        return Entry(partition, stream, id, jid, type, state, body, priority)
    except KeyError as error:
        return Garbled(partition, stream, id, f"field {error.args[0]!r} is missing")
    except (ValueError, TypeError, msgspec.DecodeError, BadName) as error:
        return Garbled(partition, stream, id, f"a field can't be read: {error}")


@dataclass(frozen=True, slots=True)
class Record:
    """A job outside the streams: what a jobs bucket holds of a scheduled, retrying or dead one.

    Stored as `<type>\\n<priority>\\n<bytes of state>\\n<state><body>` (lua/lib/record.lua): a script can
    take it apart without a parser, and any bytes survive."""

    type: str
    priority: int
    state: State
    body: bytes

    @classmethod
    def read(cls, data: bytes | None) -> Self:
        """What can't be read shows as type `garbled`."""
        try:
            type, priority, length, rest = (data or b"").split(b"\n", 3)
            cut = int(length)
            return cls(type.decode(), int(priority), decode_state(rest[:cut]), rest[cut:])
        except (ValueError, msgspec.DecodeError):
            return cls("garbled", 5, BLANK, data or b"")


def clip(text: str, most_bytes: int) -> str:
    """`text` as clean UTF-8 of at most `most_bytes`, its middle cut out when it is longer."""
    data = text.encode("utf-8", "replace")
    if len(data) <= most_bytes:
        return data.decode()
    half = (most_bytes - 5) // 2
    return f"{data[:half].decode(errors='ignore')} ... {data[-half:].decode(errors='ignore')}"
