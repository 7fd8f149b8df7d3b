"""Every message between ganger's processes: this file is the whole protocol.

A message is a frozen struct, sent as one datagram over a channel (linux/channel.py); file descriptors may
ride along and are named in the docstring. Nothing here acts. Who sends what to whom stands above each
group. What must be seen before each claim (may claim, retire) is no message but a control word in the
worker's page (recorder.py)."""

from typing import Any

import msgspec

from gangerd.recorder import ClaimToken, Held


class Message(msgspec.Struct, frozen=True, tag=True):
    """The base of all messages; the struct's name is its tag on the wire."""


# master -> template


class Spawn(Message, frozen=True):
    """Fork a worker. Descriptors: the worker's channel end, its crash file. `leaf` is the memory cgroup it
    joins, empty for none."""

    slot: int
    incarnation: str
    generation: int
    leaf: str = ""


# template -> master


class TemplateReady(Message, frozen=True):
    """The app is imported. Descriptor: the manifest (JSON: types and their options), for the roles to
    read."""

    types: int
    import_ms: int
    warnings: list[str] = []
    edition: str = ""
    """Of the ganger that this process runs (edition.py)."""


class TemplateFailed(Message, frozen=True):
    """The app can't be served; `error` is one sentence for the operator, `exit_code` is the master's if it
    has no older generation."""

    error: str
    exit_code: int


class Spawned(Message, frozen=True):
    incarnation: str
    pid: int


class SpawnFailed(Message, frozen=True):
    incarnation: str
    error: str


# worker -> master, master -> worker


class Ready(Message, frozen=True):
    """The worker stands and waits for GO; until then it touches neither its page nor Redis."""

    incarnation: str


class Go(Message, frozen=True):
    pass


class Wake(Message, frozen=True):
    """Look at the control word: it changed."""


class Leaving(Message, frozen=True):
    """The worker ends by itself, between jobs, with nothing held; its exit is no death."""

    incarnation: str
    reason: str


# a role -> master, master -> a role


class RoleReady(Message, frozen=True):
    """The role serves; `detail` is one line for status."""

    role: str
    detail: str = ""


class RoleFailed(Message, frozen=True):
    """The role can't serve (bad configuration, wrong password): the master says so and ends with
    `exit_code` if it never served."""

    role: str
    error: str
    exit_code: int


class Drain(Message, frozen=True):
    """Finish what is under way, flush, and leave with exit 0. `successor`: another takes its place on this
    host at once, so nobody else need hear of it."""

    successor: bool = False


# master -> coordinator, coordinator -> master


class Death(Message, frozen=True):
    """A worker is gone; what it held must be settled. Sent again after a restart of either side until
    DeathSettled comes.

    `consumer` is the incarnation of the master under which the entries were claimed: not the sender's own
    when a successor reports the pages of a killed master. `held` and `states` (an EntryState each) are what
    the page showed at reap; `garbled` says why it could not be read."""

    id: str
    consumer: str
    worker: str
    slot: int
    pid: int
    generation: int
    at_ms: int
    cause: str
    uses_attempt: bool
    counts_as_crash: bool
    signal: int | None = None
    exit_code: int | None = None
    evidence: list[str] = []
    stack: str = ""
    ran_ms: int = 0
    peak_rss_bytes: int = 0
    peak_of: str = "worker"
    rusage: dict[str, float] = {}
    held: list[Held] = []
    states: list[int] = []
    running: int | None = None
    claim: ClaimToken | None = None
    counters: list[int] = []
    garbled: str = ""

    def __post_init__(self) -> None:
        """Raises ValueError, which makes bytes that say so no message."""
        if self.running is not None and not 0 <= self.running < len(self.held):
            raise ValueError("what it ran is not among what it held")


class Left(Message, frozen=True):
    """A worker left in order and owes nothing; these are its last counters, for its page is wiped. Told once
    and to nobody's harm if it is lost: they are figures."""

    worker: str
    counters: list[int] = []


class DeathSettled(Message, frozen=True):
    """The death is in Redis: the master may forget it."""

    id: str


# coordinator -> master


class EndRun(Message, frozen=True):
    """End this very run of this worker: its job was cancelled, or, by `cause`, has lost its permit. `run_seq`
    is the page's number of it."""

    worker: str
    run_seq: int
    cause: str = "cancelled"


_UNION = (
    Spawn
    | TemplateReady
    | TemplateFailed
    | Spawned
    | SpawnFailed
    | Ready
    | Go
    | Wake
    | Leaving
    | RoleReady
    | RoleFailed
    | Drain
    | Death
    | Left
    | DeathSettled
    | EndRun
)
_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(_UNION)


def encode(message: Message) -> bytes:
    return _encoder.encode(message)


def decode(data: bytes) -> Message:
    """The message in a datagram; raises msgspec.MsgspecError (ValidationError or DecodeError) when it is
    none."""
    try:
        decoded: Message = _decoder.decode(data)
    except UnicodeDecodeError as error:
        raise msgspec.DecodeError(str(error)) from error
    return decoded
