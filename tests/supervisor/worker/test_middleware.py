"""Middleware around attempts, on real servers: order, what it sees, how it fails, and the soft timeout."""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import pytest

from ganger import Attempt, JobTimeout, current, job, middleware, perform_middleware, propagate
from ganger.cluster import Cluster
from ganger.job import FailureRecord
from ganger.operations import find
from gangerd.linux.signals import SOFT_TIMEOUT_SIGNAL
from support.servers import ClusterServers
from support.worker_bench import Bench

ran: list[Any] = []
request: ContextVar[str] = ContextVar("request")
locale: ContextVar[str] = ContextVar("locale")
Proceed = Callable[[], Any]


@pytest.fixture(autouse=True)
def nothing_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    ran.clear()
    for chain in ("_push", "_perform", "_perform_async"):
        monkeypatch.setattr(middleware, chain, [])


@pytest.fixture
def start(cluster_servers: ClusterServers, cluster: Cluster) -> Iterator[Callable[[], Bench]]:
    """A worker, begun after the test has registered its middlewares, as the app's import comes first."""
    made: list[Bench] = []

    def begin() -> Bench:
        made.append(Bench(cluster_servers, cluster))
        return made[-1]

    yield begin
    for one in made:
        one.client.close()


def failure(bench: Bench, jid: str) -> FailureRecord:
    found = find.find(bench.cluster, bench.partition, jid)
    assert found is not None
    return found.record.state.failures[-1]


@contextmanager
def knocked(bench: Bench) -> Iterator[None]:
    before = signal.signal(SOFT_TIMEOUT_SIGNAL, bench.performer.soft.knock)
    try:
        yield
    finally:
        signal.signal(SOFT_TIMEOUT_SIGNAL, before)


def knock_until_ended() -> None:
    deadline_s = time.monotonic() + 30
    while time.monotonic() < deadline_s:
        os.kill(os.getpid(), SOFT_TIMEOUT_SIGNAL)


@job(name="m.note", queue="q")
def note(value: Any = None) -> Any:
    ran.append(("handler", value))
    return value


@job(name="m.waits", queue="q")
async def waits(value: Any = None) -> Any:
    await asyncio.sleep(0)
    ran.append(("handler", value))
    return value


@job(name="m.fail", queue="q", retry=0, dead=True)
def fail() -> None:
    raise ValueError("no such mailbox")


@job(name="m.typed", queue="q", retry=0, dead=True)
def typed(number: int) -> None: ...


@job(name="m.busy", queue="q", timeout=0.01, grace=60, retry=0, dead=True)
def busy() -> None:
    knock_until_ended()


@job(name="m.sleepy", queue="q", timeout=0.05, grace=60, retry=0, dead=True)
async def sleepy() -> None:
    await asyncio.sleep(3600)


@job(name="m.short", queue="q", timeout=0.01, grace=60, retry=0, dead=True)
def short() -> None: ...


@job(name="m.context", queue="q")
def context() -> None:
    ran.append((request.get(None), locale.get(None), current().headers))


@job(name="m.async_context", queue="q")
async def async_context() -> None:
    ran.append((request.get(None), locale.get(None), current().headers))


@pytest.mark.parametrize("kind", ["m.note", "m.waits"])
def test_plain_middleware_stands_around_both_kinds_of_handlers(start: Callable[[], Bench], kind: str) -> None:
    @perform_middleware
    def outer(job: Attempt, proceed: Proceed) -> None:
        ran.append((job.jid, job.type, job.queue, job.attempt, job.args, job.kwargs, job.headers))
        ran.append(("result", proceed()))

    @perform_middleware
    def inner(job: Attempt, proceed: Proceed) -> None:
        ran.append("before")
        try:
            proceed()
        finally:
            ran.append("after")

    bench = start()
    jid = bench.client.push(kind, kwargs={"value": 3}, queue="q", headers={"a": "b"})
    bench.run_all()
    about: tuple[Any, ...] = (jid, kind, "q", 1, [], {"value": 3}, {"a": "b"})
    assert ran == [about, "before", ("handler", 3), "after", ("result", 3)]
    assert bench.look().counters["succeeded"] == 1


def test_async_middleware_stands_inside_the_plain_and_around_async_handlers_only(
    start: Callable[[], Bench],
) -> None:
    @perform_middleware
    async def in_loop(job: Attempt, proceed: Callable[[], Awaitable[Any]]) -> None:
        ran.append(("in the loop", asyncio.get_running_loop().is_running()))
        ran.append(await proceed())

    @perform_middleware
    def plain(job: Attempt, proceed: Proceed) -> None:
        ran.append("plain")
        proceed()

    bench = start()
    bench.client.push("m.waits", [1], queue="q")
    bench.run_all()
    assert ran == ["plain", ("in the loop", True), ("handler", 1), 1]
    ran.clear()
    bench.client.push("m.note", [2], queue="q")
    bench.run_all()
    assert ran == ["plain", ("handler", 2)]


def test_it_sees_what_the_attempt_raises_and_may_change_that(start: Callable[[], Bench]) -> None:
    @perform_middleware
    def watch(job: Attempt, proceed: Proceed) -> None:
        try:
            proceed()
        except Exception as error:
            ran.append(type(error).__name__)
            raise

    bench = start()
    failing = bench.client.push("m.fail", queue="q")
    wrong = bench.client.push("m.typed", ["twelve"], queue="q")
    unknown = bench.client.push("m.note", queue="q", jid=None)
    bench.run_all()
    assert sorted(name for name in ran if isinstance(name, str)) == ["BadArguments", "ValueError"]
    assert failure(bench, failing).cause == "exception"
    assert "raise ValueError" in failure(bench, failing).stack
    assert failure(bench, wrong).cause == "bad_arguments"
    assert unknown


def test_its_own_exception_fails_the_attempt_with_its_stack(start: Callable[[], Bench]) -> None:
    @perform_middleware
    def broken(job: Attempt, proceed: Proceed) -> None:
        raise LookupError("no tenant of that name")

    bench = start()
    jid = bench.client.push("m.fail", queue="q")
    bench.run_all()
    found = failure(bench, jid)
    assert (found.cause, found.error, found.message) == ("exception", "LookupError", "no tenant of that name")
    assert found.stack.count("File") == 1, "it begins with the middleware"
    assert 'raise LookupError("no tenant of that name")' in found.stack


def test_one_that_does_not_proceed_ends_the_job_well(start: Callable[[], Bench]) -> None:
    @perform_middleware
    def skip(job: Attempt, proceed: Proceed) -> None: ...

    bench = start()
    bench.client.push("m.note", queue="q")
    bench.run_all()
    assert ran == []
    assert bench.look().counters["succeeded"] == 1


@pytest.mark.parametrize("kind", ["m.busy", "m.sleepy"])
def test_a_timeout_reaches_a_wrapped_handler_and_passes_its_middlewares(
    start: Callable[[], Bench], kind: str
) -> None:
    propagate(request, "request_id")

    @perform_middleware
    def watch(job: Attempt, proceed: Proceed) -> None:
        try:
            proceed()
        except JobTimeout:
            ran.append("timeout")
            raise

    bench = start()
    jid = bench.client.push(kind, queue="q", headers={"request_id": "r-1"})
    with knocked(bench):
        bench.run_all()
    assert failure(bench, jid).cause == "timeout"
    assert ran == ["timeout"]
    assert request.get(None) is None


def test_a_timeout_reaches_a_middleware_that_hangs(start: Callable[[], Bench]) -> None:
    @perform_middleware
    def hangs(job: Attempt, proceed: Proceed) -> None:
        proceed()
        knock_until_ended()

    bench = start()
    jid = bench.client.push("m.short", queue="q")
    with knocked(bench):
        bench.run_all()
    assert failure(bench, jid).cause == "timeout"


@pytest.mark.parametrize("kind", ["m.context", "m.async_context"])
def test_context_is_there_in_the_attempt_and_gone_after_it(start: Callable[[], Bench], kind: str) -> None:
    propagate(request, "request_id")
    propagate(locale, "locale")
    bench = start()
    bench.client.push(kind, queue="q", headers={"request_id": "r-1", "locale": "de"})
    bench.run_all()
    bench.client.push(kind, queue="q", headers={"locale": "fr"})
    bench.run_all()
    assert ran == [
        ("r-1", "de", {"request_id": "r-1", "locale": "de"}),
        (None, "fr", {"locale": "fr"}),
    ]


def test_a_push_inside_a_job_inherits_the_context(start: Callable[[], Bench]) -> None:
    propagate(request, "request_id")
    bench = start()

    @job(name="m.pushes", queue="q")
    def pushes() -> None:
        bench.client.push("m.context", queue="q")

    bench = start()
    bench.client.push("m.pushes", queue="q", headers={"request_id": "r-1"})
    bench.run_all()
    assert ran == [("r-1", None, {"request_id": "r-1"})]
