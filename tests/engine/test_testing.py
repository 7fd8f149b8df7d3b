"""ganger.testing: every way of pushing is caught, arguments are those of production, nothing stays behind."""

import asyncio
import dataclasses
import threading
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest

from ganger import (
    AsyncClient,
    Attempt,
    Client,
    Outgoing,
    client,
    current,
    diversion,
    job,
    middleware,
    perform_middleware,
    propagate,
    push_middleware,
)
from ganger.current import NoJob
from ganger.errors import BadArguments, BadOptions, JobTooLarge, NotConfigured, NotUnique, UnknownType
from ganger.jid import mint
from ganger.testing import AlreadyTesting, EndlessDrain, inline, recording

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


@pytest.fixture(autouse=True)
def no_redis(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No settings anywhere: whatever asks for Redis fails."""
    ran.clear()
    monkeypatch.delenv("GANGER_REDIS", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(client, "_default", None)


# ---- inline


def test_inline_runs_at_once_and_answers_a_jid() -> None:
    with inline() as jobs:
        jid = note.push(1, extra=2)
        assert ran == [(1, {"extra": 2})]
    assert len(jid) == 29
    assert [one.jid for one in jobs.pushed] == [jid]


def test_inline_catches_every_way_of_pushing() -> None:
    with inline():
        note.push(1)
        note.options(delay=60).push(2)
        note.push_many([(3,), {"value": 4}])
        Client().push("t.note", [5])
        Client().push_many("t.note", [(6,), (7,)])
        asyncio.run(_push_async(8))
    assert ran == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]


async def _push_async(first: int) -> None:
    await note.apush(first)
    await note.options(at=2e9).apush(first + 1)
    await note.apush_many([(first + 2,)])
    async with AsyncClient() as pushing:
        await pushing.push("t.note", kwargs={"value": first + 3})
        await pushing.push_many("t.note", [(first + 4,)])


def test_arguments_make_the_journey_through_json() -> None:
    with inline():
        note.push((1, 2))
        parcel.push(Parcel(1.5, ("a", "b")))
        with pytest.raises(BadArguments, match="'value'"):
            note.push(b"raw")
        with pytest.raises(BadArguments, match="'one'"):
            parcel.push({"weight": "heavy"})  # type: ignore[arg-type]
        with pytest.raises(BadArguments):
            Client().push("t.parcel", [3])
        with pytest.raises(JobTooLarge):
            note.push("x" * 2_000_000)
        with pytest.raises(BadOptions):
            note.options(priority=10).push(1)
    assert ran == [[1, 2], Parcel(1.5, ("a", "b"))]


def test_a_handler_does_not_share_its_arguments_with_the_one_who_pushed() -> None:
    given: list[int] = [1]
    with inline() as jobs:
        note.push(given)
    ran[0].append(2)
    assert given == [1]
    assert jobs.pushed[0].args == [[1]]


def test_current_is_that_of_each_job_also_one_within_another() -> None:
    with inline():
        jid = who.push(2)
        with pytest.raises(NoJob):
            current()
    assert [run[1:] for run in ran] == [(1, "t.who", "default")] * 3
    assert ran[0][0] == jid
    assert len({run[0] for run in ran}) == 3


def test_current_is_known_in_a_thread_that_the_handler_starts() -> None:
    @job(name="t.threaded")
    def threaded() -> None:
        thread = threading.Thread(target=lambda: ran.append(current().type))
        thread.start()
        thread.join()

    with inline():
        threaded.push()
    assert ran == ["t.threaded"]


def test_jobs_in_two_threads_know_each_its_own() -> None:
    meet = threading.Barrier(2, timeout=10)

    @job(name="t.meets")
    def meets(name: str) -> None:
        meet.wait()
        ran.append((name, current().jid))
        meet.wait()

    jids: dict[str, str] = {}
    with inline():
        threads = [
            threading.Thread(target=lambda n: jids.update({n: meets.push(n)}), args=name)
            for name in ("a", "b")
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert dict(ran) == jids


def test_what_a_handler_raises_comes_out_of_the_push() -> None:
    with inline():
        with pytest.raises(LookupError, match="no such mailbox"):
            fail.push()
        with pytest.raises(LookupError):
            asyncio.run(fail.apush())
        with pytest.raises(UnknownType, match=r"t\.nobody"):
            Client().push("t.nobody")


def test_an_async_handler_runs_inline() -> None:
    with inline():
        slow.push(1)
        slow.push(2)
    assert [value for value, _ in ran] == [1, 2]
    assert ran[0][1] == ran[1][1], "its loop is kept, as in a worker"


def test_an_awaited_push_runs_an_async_handler_on_the_same_loop() -> None:
    async def main() -> int:
        with inline():
            await asyncio.gather(*(slow.apush(n, then=n + 10) for n in range(3)))
        return id(asyncio.get_running_loop())

    mine = asyncio.run(main())
    assert sorted(ran) == [(n, mine) for n in (0, 1, 2, 10, 11, 12)]


def test_a_blocking_push_of_an_async_handler_works_in_a_coroutine() -> None:
    async def main() -> None:
        with inline():
            slow.push(1)
            slow.push(2, then=3)

    asyncio.run(main())
    assert [value for value, _ in ran] == [1, 2, 3]


def test_context_variables_reach_the_job_and_do_not_come_back() -> None:
    with inline():
        tenant.set("me")
        leak.push()
        asyncio.run(leak.apush())
        leak.push()
    assert ran == ["me", "me", "me"]
    tenant.set("nobody")


def test_middlewares_stand_around_both_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(middleware, "_push", [])
    monkeypatch.setattr(middleware, "_perform", [])
    monkeypatch.setattr(middleware, "_perform_async", [])
    propagate(tenant, "tenant")

    @push_middleware
    def sign(push: Outgoing, proceed: Callable[[], list[str]]) -> None:
        push.headers["signed"] = "yes"
        proceed()

    @perform_middleware
    def plain(attempt: Attempt, proceed: Callable[[], Any]) -> Any:
        ran.append(("plain", attempt.headers["tenant"], current().headers["signed"]))
        return proceed()

    @perform_middleware
    async def on_loop(attempt: Attempt, proceed: Callable[[], Awaitable[Any]]) -> Any:
        ran.append(("async", attempt.type, tenant.get()))
        return await proceed()

    async def main() -> int:
        await slow.apush(1, then=2)
        await note.apush(3)
        return id(asyncio.get_running_loop())

    token = tenant.set("me")
    try:
        with inline():
            mine = asyncio.run(main())
            slow.push(4)
    finally:
        tenant.reset(token)
    outer, inner = ("plain", "me", "yes"), ("async", "t.slow", "me")
    assert ran[:6] == [outer, inner, (1, mine), outer, inner, (2, mine)]
    assert ran[6:8] == [outer, 3]
    assert ran[8:10] == [outer, inner]


# ---- recording


def test_recording_keeps_type_arguments_and_options() -> None:
    with recording() as jobs:
        note.push(1, extra=2)
        note.options(delay=90, priority=9, queue="fast", retry=2, timeout=5, headers={"a": "b"}).push(2)
        note.options(at=2e9).push(3)
        Client().push("far.away", kwargs={"to": "x"})
    first, second, third, other = jobs.pushed
    assert (first.type, first.args, first.kwargs) == ("t.note", [1], {"extra": 2})
    assert (first.queue, first.priority, first.delay, first.at) == ("notes", 7, None, None)
    assert (second.queue, second.priority, second.delay) == ("fast", 9, 90)
    assert (second.overrides, second.headers) == ({"retry": 2, "timeout": 5}, {"a": "b"})
    assert (third.delay, third.at) == (None, 2e9)
    assert (other.type, other.kwargs, other.queue) == ("far.away", {"to": "x"}, "default")
    assert jobs.of(note) == jobs.of("t.note") == [first, second, third]
    assert ran == []


def test_recording_catches_every_way_of_pushing() -> None:
    with recording() as jobs:
        note.push(1)
        note.push_many([(2,), {"value": 3}])
        Client().push("t.note", [4])
        asyncio.run(_push_async(5))
    assert [one.args or [one.kwargs["value"]] for one in jobs.pushed] == [[n] for n in range(1, 10)]


def test_drain_runs_what_waits_and_what_that_pushes() -> None:
    with recording() as jobs:
        who.push(2)
        assert jobs.drain() == 3
        assert (len(jobs.pushed), jobs.waiting) == (3, [])
        assert jobs.drain() == 0
    assert len(ran) == 3


def test_drain_of_one_type_leaves_the_others() -> None:
    with recording() as jobs:
        note.push(1)
        slow.push(2)
        note.push(3)
        assert jobs.drain(note) == 2
        assert [one.type for one in jobs.waiting] == ["t.slow"]
        assert jobs.drain("t.slow") == 1
    assert ran[:2] == [1, 3]


def test_a_drain_stops_at_what_a_handler_raises() -> None:
    with recording() as jobs:
        note.push(1)
        fail.push()
        note.push(2)
        with pytest.raises(LookupError):
            jobs.drain()
        assert [one.args for one in jobs.waiting] == [[2]]
        assert jobs.drain() == 1


def test_a_drain_that_would_never_end_says_so() -> None:
    with recording() as jobs:
        again.push()
        with pytest.raises(EndlessDrain, match=r"t\.again"):
            jobs.drain(most=5)
    assert len(jobs.pushed) == 6


def test_adrain_runs_async_handlers_on_the_loop_of_the_test() -> None:
    async def main() -> int:
        with recording() as jobs:
            await slow.apush(1, then=2)
            await note.apush(3)
            assert await jobs.adrain() == 3
        return id(asyncio.get_running_loop())

    mine = asyncio.run(main())
    assert ran == [(1, mine), 3, (2, mine)]


def test_the_same_jid_again_is_one_job() -> None:
    with recording() as jobs:
        jid = note.reserve()
        for _ in range(2):
            assert note.options(jid=jid).push(1) == jid
        assert Client().push("t.note", [1], jid=jid) == jid
        assert [one.jid for one in jobs.pushed] == [jid]
        with pytest.raises(BadOptions, match="queue notes"):
            note.options(jid=mint("other", 0)[0]).push(1)
        jobs.clear()
        assert jobs.pushed == jobs.waiting == []


@job(name="t.only", unique_for=60)
def only(number: int) -> None:
    ran.append(only.push(number) == current().jid)


@job(name="t.last", unique_for=60, on_conflict="replace")
def last(number: int = 0, text: str = "") -> None:
    ran.append(text)


@job(name="t.next", unique_for=60, unique_until="start", on_conflict="raise")
def following(again: bool = False) -> None:
    ran.append(following.options(delay=60).push(again) != current().jid if again else None)


def test_a_unique_job_is_one_until_its_end() -> None:
    with recording() as jobs:
        jid = only.push(1)
        assert [only.push(1), Client().push("t.only", [1])] == [jid, jid]
        assert Client().holder("t.only", [1]) == jid
        assert only.push_many([(1,), (2,)])[0] == jid
        assert jobs.drain() == 2
        assert ran == [True, True], "it holds its lock while it runs"
        assert Client().holder("t.only", [1]) is None
        assert only.push(1) != jid
    with inline():
        assert only.push(1) != only.push(1)


def test_conflicts_end_as_in_production() -> None:
    with recording() as jobs:
        last.options(unique_for=5).push(text="first")
        last.push(text="first")
        assert jobs.drain() == 1
        following.push(True)
        with pytest.raises(NotUnique):
            following.push(True)
        with pytest.raises(EndlessDrain):
            jobs.drain(most=3)
    assert ran == ["first", True, True, True]


# ---- entering and leaving


def test_modes_do_not_nest() -> None:
    with recording() as jobs, pytest.raises(AlreadyTesting), inline():
        pass
    with jobs, pytest.raises(AlreadyTesting), jobs:
        pass
    assert diversion.current() is None


@pytest.mark.parametrize("mode", [inline, recording])
def test_nothing_stays_behind(mode: Any) -> None:
    with pytest.raises(ZeroDivisionError), mode():
        slow.push(1)
        raise ZeroDivisionError
    assert diversion.current() is None
    assert client.known_default_client() is None
    with pytest.raises(NotConfigured):
        note.push(1)
    with pytest.raises(NotConfigured):
        Client()


def test_a_default_client_of_one_s_own_is_used_and_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANGER_REDIS", "redis://nowhere.invalid:1")
    mine = Client()
    client.set_default_client(mine)
    with recording() as jobs:
        note.push(1)
        assert client.default_client() is mine
    assert client.known_default_client() is mine
    assert len(jobs.pushed) == 1


def test_as_decorators() -> None:
    jobs = recording()

    @jobs
    def pushes(value: int) -> int:
        note.push(value)
        return len(jobs.pushed)

    @inline()
    async def runs(value: int) -> None:
        await slow.apush(value)

    assert (pushes(1), pushes(2)) == (1, 1), "each entry begins with an empty list"
    assert pushes.__name__ == "pushes"
    asyncio.run(runs(3))
    assert [value for value, _ in ran] == [3]
    with pytest.raises(TypeError, match="test functions"):
        recording()(Parcel)


def test_pushes_of_many_threads_are_all_kept() -> None:
    with recording() as jobs:
        threads = [threading.Thread(target=lambda: note.push_many([(n,) for n in range(50)]))] * 1
        threads += [threading.Thread(target=lambda: [note.push(n) for n in range(50)]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len({one.jid for one in jobs.pushed}) == 250
