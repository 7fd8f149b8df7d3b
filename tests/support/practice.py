"""Jobs for the tests of ganger.testing, what they note when they run, and a place without Redis."""

import asyncio
import dataclasses
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest

from ganger import AsyncClient, client, current, job

ran: list[Any] = []
tenant: ContextVar[str] = ContextVar("tenant", default="nobody")


@dataclasses.dataclass
class Parcel:
    weight: float
    to: tuple[str, ...] = ()


@job(name="t.note", queue="notes", priority=7)
def note(value: Any = None, **more: Any) -> None:
    ran.append((value, more) if more else value)


@job(name="t.parcel")
def parcel(one: Parcel) -> None:
    ran.append(one)


@job(name="t.who")
def who(depth: int = 0) -> None:
    ran.append((current().jid, current().attempt, current().type, current().queue))
    if depth:
        mine = current()
        who.push(depth - 1)
        assert current() == mine


@job(name="t.slow")
async def slow(value: Any = None, then: Any = None) -> None:
    await asyncio.sleep(0)
    ran.append((value, id(asyncio.get_running_loop())))
    if then is not None:
        await slow.apush(then)


@job(name="t.fail")
def fail() -> None:
    raise LookupError("no such mailbox")


@job(name="t.again")
def again() -> None:
    again.options(delay=60).push()


@job(name="t.leak")
def leak() -> None:
    ran.append(tenant.get())
    tenant.set("somebody")


@job(name="t.counted", track=True)
def counted(number: int) -> dict[str, tuple[int, ...]]:
    if number < 0:
        raise ValueError(number)
    return {"counted": tuple(range(number))}


@job(name="t.only", unique_for=60)
def only(number: int) -> None:
    ran.append(only.push(number) == current().jid)


@job(name="t.last", unique_for=60, on_conflict="replace")
def last(number: int = 0, text: str = "") -> None:
    ran.append(text)


@job(name="t.next", unique_for=60, unique_until="start", on_conflict="raise")
def following(again: bool = False) -> None:
    ran.append(following.options(delay=60).push(again) != current().jid if again else None)


async def push_five(first: int) -> None:
    """In every way that there is from a coroutine."""
    await note.apush(first)
    await note.options(at=2e9).apush(first + 1)
    await note.apush_many([(first + 2,)])
    async with AsyncClient() as pushing:
        await pushing.push("t.note", kwargs={"value": first + 3})
        await pushing.push_many("t.note", [(first + 4,)])


def leave_redis(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No settings anywhere: whatever asks for Redis fails."""
    ran.clear()
    monkeypatch.delenv("GANGER_REDIS", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(client, "_default", None)
