"""ganger.testing.inline: pushed jobs run at once, on the way that they take in production."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from ganger import (
    Attempt,
    Client,
    Outgoing,
    current,
    job,
    middleware,
    perform_middleware,
    propagate,
    push_middleware,
)
from ganger.current import NoJob
from ganger.errors import BadArguments, BadOptions, JobTooLarge, UnknownType
from ganger.testing import inline
from support.practice import Parcel, fail, leak, leave_redis, note, parcel, push_five, ran, slow, tenant, who


@pytest.fixture(autouse=True)
def no_redis(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    leave_redis(monkeypatch, tmp_path)


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
        asyncio.run(push_five(8))
    assert ran == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]


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


def test_a_job_of_another_thread_goes_on_when_the_mode_is_left() -> None:
    begun, go_on = threading.Event(), threading.Event()

    @job(name="t.held")
    async def held() -> None:
        begun.set()
        await asyncio.to_thread(go_on.wait)
        ran.append("held to its end")

    with inline():
        thread = threading.Thread(target=held.push)
        thread.start()
        assert begun.wait(10)
    go_on.set()
    thread.join()
    assert ran == ["held to its end"]


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
