"""once: a block that runs once per key, whoever comes to it again.

    with once("charge:42", ttl=86400) as step:
        if step.first:
            step.result = charge(42)
    return step.result

A mark in Redis is pending while the block runs, then done with its result, or failed. Whoever comes to a done
one gets the result; to a pending one, StillPending. All times are the node's.

Crash points, each with a test. The holder dies between begin and end: the mark stays pending; the next
delivery of the same job takes it over at once (`step.interrupted`), anybody else after `pending_ttl`. The
earlier delivery turns out to live (a lost lease): its end, and its begin, find a later holder and raise
Superseded. The reply of begin or of end is lost: the call is repeated with the same token, which changes
nothing; if no reply comes at all, OutcomeUnknown, and then as if the holder had died there.
"""

import inspect
import secrets
from collections.abc import Callable
from datetime import timedelta
from types import TracebackType
from typing import Any, TypeVar, overload

import msgspec

from ganger import diversion
from ganger import options as known
from ganger.arguments import plain
from ganger.client import Client, default_client
from ganger.current import NoJob, current
from ganger.errors import (
    BadArguments,
    BadOptions,
    FailedBefore,
    GangerError,
    ResultNotKept,
    StillPending,
    Superseded,
)
from ganger.job import MAX_MESSAGE_BYTES, clip, decode_body
from ganger.keys import OnceMark
from ganger.operations import once as marks
from ganger.operations.once import Begun, Holder
from ganger.passages import passage

T = TypeVar("T")

MAX_RESULT_BYTES = 64 * 1024
PENDING_S = 300.0
"""How long a mark stays pending that was begun outside a job."""
_MARGIN_S = 10.0
_LOOK_AGAIN_S = 10.0
_KEPT, _NOT_KEPT = b"=", b"!"


class Step:
    """One time through the block."""

    def __init__(self, begun: Begun) -> None:
        self.first = begun.word == "begun"
        """Run the block: nobody has brought it to its end yet."""
        self.interrupted = begun.earlier == "pending"
        """An earlier holder began and never ended: its effect may be there, or half of it."""
        self.result: Any = None
        """Set it where `first`; else it is what the first one set. Plain JSON, at most 64 KiB."""
        if begun.word == "done":
            self.result = _result(begun.value)


class Once:
    """A block and its key: `with`, `async with`, or `run`."""

    def __init__(
        self, key: str, ttl_s: float, pending_ttl_s: float | None, again: bool, client: Client
    ) -> None:
        self._mark = OnceMark(client.namespace, key)
        self._ttl_ms = int(ttl_s * 1000)
        self._pending_ttl_s = pending_ttl_s
        self._again = again
        self._client = client
        self._open: list[tuple[Holder, Step]] = []

    def __enter__(self) -> Step:
        holder, time_s = _holder()
        begun = self._begin(holder, time_s if self._pending_ttl_s is None else self._pending_ttl_s)
        _refuse(begun)
        step = Step(begun)
        self._open.append((holder, step))
        return step

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        holder, step = self._open.pop()
        if not step.first:
            return
        if error is not None:
            self._fail(holder, error)
            return
        value, refused = _value(step.result)
        if not self._end(holder, "done", value):
            raise Superseded(
                "The block took longer than its pending mark was good for, and another holder has begun"
                " since: it may run twice. Give once() a longer pending_ttl."
            )
        if refused:
            raise ResultNotKept(refused)
        step.result = _result(value)

    async def __aenter__(self) -> Step:
        import asyncio

        return await asyncio.to_thread(self.__enter__)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        import asyncio

        await asyncio.to_thread(self.__exit__, kind, error, trace)

    def _fail(self, holder: Holder, error: BaseException) -> None:
        """Note it; the block's own error is what its caller must hear, whatever becomes of the note."""
        text = clip(f"{type(error).__name__}: {error}", MAX_MESSAGE_BYTES)
        try:
            self._end(holder, "failed", text.encode())
        except GangerError as lost:
            error.add_note(f"That it failed could not be noted: {lost}")

    def _begin(self, holder: Holder, pending_s: float) -> Begun:
        rehearsed, client = diversion.current(), self._client
        if rehearsed is not None:
            return rehearsed.marks.begin(self._mark.key, again=self._again)
        return marks.begin(
            client.cluster,
            self._mark,
            holder,
            pending_ms=int(pending_s * 1000),
            ttl_ms=self._ttl_ms,
            again=self._again,
            replicas=client.replicas,
        )

    def _end(self, holder: Holder, state: str, value: bytes) -> bool:
        rehearsed, client = diversion.current(), self._client
        if rehearsed is not None:
            return rehearsed.marks.end(self._mark.key, state, value)
        return marks.end(
            client.cluster, self._mark, holder, state, value, ttl_ms=self._ttl_ms, replicas=client.replicas
        )


@overload
def once(
    key: str,
    ttl: float | timedelta,
    *,
    pending_ttl: float | timedelta | None = None,
    failed: str = "again",
    client: Client | None = None,
) -> Once: ...
@overload
def once(
    key: str,
    ttl: float | timedelta,
    run: Callable[[], T],
    *,
    pending_ttl: float | timedelta | None = None,
    failed: str = "again",
    client: Client | None = None,
) -> T: ...
@passage
def once(
    key: str,
    ttl: float | timedelta,
    run: Callable[[], Any] | None = None,
    *,
    pending_ttl: float | timedelta | None = None,
    failed: str = "again",
    client: Client | None = None,
) -> Any:
    """A block that runs once per key within `ttl` seconds: to be entered by `with`; or `run` in one go, and
    its result. `pending_ttl`: after so many seconds another caller may take over from a holder that has not
    ended; inside a job, by default, what its timeout allows. `failed`: "again" runs a block anew that has
    failed, "raise" raises FailedBefore. Raises StillPending, Superseded, ResultNotKept, OutcomeUnknown..."""
    if failed not in ("again", "raise"):
        raise BadOptions(f'failed must be "again" or "raise", not {failed!r}.')
    ttl_s = known.check_span("ttl", ttl)
    if pending_ttl is not None:
        pending_ttl = known.check_span("pending_ttl", pending_ttl)
    block = Once(key, ttl_s, pending_ttl, failed == "again", client or default_client())
    if run is None:
        return block
    if inspect.iscoroutinefunction(run):
        raise BadOptions("once(run=) takes a plain function; for a coroutine use `async with once(...)`.")
    with block as step:
        if step.first:
            step.result = run()
    return step.result


def forget_once(key: str, *, client: Client | None = None) -> bool:
    """Remove the mark of this key, whatever it says: the block runs again. Whether there was one."""
    client, rehearsed = client or default_client(), diversion.current()
    if rehearsed is not None:
        return rehearsed.marks.forget(OnceMark(client.namespace, key).key)
    return marks.forget(client.cluster, OnceMark(client.namespace, key))


def _holder() -> tuple[Holder, float]:
    """Who calls, and for how many seconds it may take at most."""
    token = secrets.token_hex(8)
    try:
        now = current()
    except NoJob:
        return Holder(token), PENDING_S
    if now.entry is None:
        return Holder(token), PENDING_S
    options = known.defined(now.type) or known.Options()
    timeout_s = float(decode_body(now.entry.body).overrides.get("timeout", options.timeout))
    return Holder(token, now.jid, now.entry.id, now.attempt), timeout_s + options.grace + _MARGIN_S


def _refuse(begun: Begun) -> None:
    match begun.word:
        case "pending":
            who = f"attempt {begun.attempt} of job {begun.jid}" if begun.jid else "a caller outside any job"
            left_s = begun.left_ms / 1000
            raise StillPending(
                f"The block of this key is being run by {who}; its mark is free in {left_s:.1f} s at most.",
                retry_in_s=min(max(left_s, 0.05), _LOOK_AGAIN_S),
                jid=begun.jid,
                attempt=begun.attempt,
            )
        case "superseded":
            raise Superseded(
                f"A later delivery of this job (attempt {begun.attempt}) has come to this block: this one has"
                " lost its lease."
            )
        case "failed":
            raise FailedBefore(
                f"The block of this key has failed before: {begun.value.decode(errors='replace')}"
            )


def _value(result: Any) -> tuple[bytes, str]:
    """What is kept of a result, and why that is not the result itself."""
    refused = ""
    try:
        data: bytes = msgspec.json.encode(plain(result, "result"))
        if len(data) <= MAX_RESULT_BYTES:
            return _KEPT + data, ""
        refused = f"its result is {len(data)} bytes as JSON, and at most {MAX_RESULT_BYTES} are kept"
    except (BadArguments, RecursionError) as error:
        refused = f"its result is no plain JSON: {error}"
    refused = f"The block has run to its end and will not run again, but {refused}. Return a reference to it."
    return _NOT_KEPT + clip(refused, MAX_MESSAGE_BYTES).encode(), refused


def _result(value: bytes) -> Any:
    """The result as JSON gives it, the first time as later. Raises ResultNotKept."""
    if value.startswith(_NOT_KEPT):
        raise ResultNotKept(value[1:].decode(errors="replace"))
    return msgspec.json.decode(value[1:])
