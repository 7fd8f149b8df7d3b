"""ganger.testing.recording: pushed jobs are kept, and run when the test says so. And entering and leaving."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from ganger import (
    AsyncClient,
    Client,
    client,
    diversion,
)
from ganger.errors import (
    BadOptions,
    JobEnded,
    JobFailed,
    JobNotFound,
    NoResult,
    NotConfigured,
    NotUnique,
    StillRunning,
)
from ganger.jid import mint
from ganger.operations.cancel import Cancel
from ganger.testing import AlreadyTesting, EndlessDrain, inline, recording
from support.practice import (
    Parcel,
    again,
    counted,
    fail,
    following,
    last,
    leave_redis,
    note,
    only,
    push_five,
    ran,
    slow,
    who,
)


@pytest.fixture(autouse=True)
def no_redis(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    leave_redis(monkeypatch, tmp_path)


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
        asyncio.run(push_five(5))
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


def test_a_job_can_be_followed_and_cancelled() -> None:
    with recording() as jobs:
        jid, other, broken = counted.push(2), counted.options(delay=60).push(3), counted.push(-1)
        mine = Client()
        assert (mine.job(jid).state, mine.job(other).state) == ("ready", "scheduled")
        with pytest.raises(StillRunning):
            mine.result(jid, wait=3600)
        assert mine.cancel(other) is Cancel.CANCELLED
        with pytest.raises(ValueError):
            jobs.drain()
        assert mine.result(jid) == {"counted": [0, 1]}
        assert asyncio.run(AsyncClient().result(jid)) == {"counted": [0, 1]}
        assert (mine.job(jid).state, mine.job(jid).how) == ("done", "succeeded")
        for failed, how in ((broken, "exhausted"), (other, "cancelled")):
            with pytest.raises(JobFailed) as caught:
                mine.result(failed)
            assert caught.value.how == how
        with pytest.raises(JobEnded):
            mine.cancel(jid)
        plain = note.push(1)
        jobs.drain()
        with pytest.raises(JobNotFound):
            mine.job(plain)
        with pytest.raises(NoResult):
            mine.result(plain)
    with inline():
        assert mine.result(counted.push(1)) == {"counted": [0]}


def test_a_cancelled_job_gives_its_lock_up() -> None:
    with recording():
        jid = only.push(1)
        Client().cancel(jid)
        assert Client().holder("t.only", [1]) is None
        assert only.push(1) != jid


# ---- entering and leaving either mode


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
