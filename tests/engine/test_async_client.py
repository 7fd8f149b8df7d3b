"""AsyncClient on real servers: it pushes what Client pushes, and keeps no event loop waiting."""

import asyncio
import inspect as python_inspect
import os
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import pytest

from ganger import AsyncClient, Client, actor, inspect, job
from ganger.client import set_default_client
from ganger.cluster import Cluster
from ganger.config import EngineConfig
from ganger.errors import BadArguments, BadOptions, JobFailed, JobTooLarge, StillRunning
from ganger.keys import Control
from support.children import fork
from support.servers import ClusterServers

KEYS = Control("ganger")
request_id: ContextVar[str] = ContextVar("request_id", default="none")


@pytest.fixture
def client(cluster: Cluster, cluster_servers: ClusterServers) -> Client:
    return Client(EngineConfig(cluster_servers.settings(), max_job_bytes=2000), cluster=cluster)


@pytest.fixture
def send(client: Client, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setattr(actor, "_registry", {})
    set_default_client(client)

    @job(name="shop.send", queue="mail", priority=7)
    def send(to: str, subject: str = "hi") -> None: ...

    yield send
    set_default_client(None)


def ready(cluster: Cluster) -> int:
    return sum(int(queue["ready"]) for queue in inspect.queues(cluster, KEYS).values())


def test_it_has_what_the_client_has() -> None:
    """`send` and `through` are how actors and batches reach a client; theirs is `run`."""
    for name, method in python_inspect.getmembers(Client):
        if python_inspect.isfunction(method) and not name.startswith("_") and name not in ("send", "through"):
            theirs = getattr(AsyncClient, name)
            assert python_inspect.iscoroutinefunction(theirs), name
            assert python_inspect.signature(theirs) == python_inspect.signature(method), name


def test_it_pushes_what_the_client_pushes(cluster: Cluster, send: Any) -> None:
    async def main() -> list[str]:
        async with AsyncClient() as pushing:
            return [
                await pushing.push("shop.send", ["a"], {"subject": "hey"}, priority=9),
                await send.apush("a", subject="hey"),
                await send.options(delay=60).apush("a", subject="hey"),
                *await pushing.push_many("shop.send", [("a", "hey"), {"to": "a", "subject": "hey"}]),
                *await send.apush_many([("a", "hey")]),
                *await send.options(priority=1).apush_many([("a", "hey")], client=pushing),
            ]

    found = [inspect.job(cluster, KEYS, jid) for jid in asyncio.run(main())]
    assert [one["priority"] for one in found] == [9, 7, 7, 7, 7, 7, 1]
    assert [one["state"] for one in found] == ["ready", "ready", "scheduled", *["ready"] * 4]
    assert {tuple(one["args"]) + tuple(one["kwargs"].values()) for one in found} == {("a", "hey")}


def test_what_is_wrong_is_raised_in_the_coroutine(client: Client, send: Any) -> None:
    async def main() -> None:
        pushing = AsyncClient(client=client)
        with pytest.raises(BadArguments):
            await send.apush(1)
        with pytest.raises(BadOptions):
            await pushing.push("shop.send", ["a"], priority=10)
        with pytest.raises(BadOptions, match="2"):
            await send.options(jid=await send.areserve()).apush_many([("a",), ("b",)])
        with pytest.raises(JobTooLarge):
            await send.apush("x" * 2000)

    asyncio.run(main())


def test_a_push_sees_the_context_of_its_task(client: Client) -> None:
    async def one(name: str) -> str:
        request_id.set(name)
        return await AsyncClient(client=client).run(lambda _: request_id.get())

    async def main() -> list[str]:
        return list(await asyncio.gather(one("a"), one("b")))

    assert asyncio.run(main()) == ["a", "b"]


def test_a_reserved_jid_is_pushed_once_however_late(cluster: Cluster, client: Client, send: Any) -> None:
    """However many other pushes of this process go by: a partition knows the last 64 of a producer only. No
    more are under way at a time than that: of one that is held up while 64 others pass nobody knows."""

    async def main() -> None:
        pushing = AsyncClient(client=client)
        jid = await pushing.reserve("shop.send")
        for _ in range(10):
            await asyncio.gather(*(send.apush("a") for _ in range(40)))
        assert ready(cluster) == 400
        assert await pushing.push("shop.send", ["a"], jid=jid) == jid
        assert await send.options(jid=jid).apush("a") == jid
        assert ready(cluster) == 401
        assert inspect.job(cluster, KEYS, jid)["state"] == "ready"

    asyncio.run(main())


def test_a_unique_job_s_jid_is_reserved_by_its_arguments(cluster: Cluster, send: Any) -> None:
    async def main() -> None:
        pushing, only = AsyncClient(), send.options(unique_for=60)
        jid = await only.areserve("a", subject="hey")
        mine = send.options(unique_for=60, jid=jid)
        assert [await mine.apush("a", "hey") for _ in range(2)] == [jid, jid]
        assert await pushing.push("shop.send", ["a", "hey"], unique_for=60) == jid
        assert await pushing.holder("shop.send", ["a", "hey"], unique_for=60) == jid
        assert ready(cluster) == 1

    asyncio.run(main())


def hold(client: Client, monkeypatch: pytest.MonkeyPatch) -> tuple[threading.Event, threading.Event]:
    """(begun, go on): pushes of this client wait in their thread, before they are sent."""
    begun, go_on = threading.Event(), threading.Event()
    send = client.send

    def held(*args: Any, **kwargs: Any) -> list[str]:
        begun.set()
        assert go_on.wait(20)
        return send(*args, **kwargs)

    monkeypatch.setattr(client, "send", held)
    return begun, go_on


def test_a_cancelled_push_that_had_begun_goes_on_and_a_repeat_adds_nothing(
    cluster: Cluster, client: Client, send: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        pushing = AsyncClient(client=client)
        jid = await pushing.reserve("shop.send")
        begun, go_on = hold(client, monkeypatch)
        task = asyncio.create_task(pushing.push("shop.send", ["a"], jid=jid))
        await asyncio.to_thread(begun.wait, 20)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        go_on.set()
        assert await pushing.push("shop.send", ["a"], jid=jid) == jid
        await pushing.close()  # the first one has come to its end as well
        assert ready(cluster) == 1

    asyncio.run(main())


def test_a_cancelled_push_that_had_not_begun_never_will(
    cluster: Cluster, client: Client, send: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        pushing = AsyncClient(client=client, threads=1)
        begun, go_on = hold(client, monkeypatch)
        first = asyncio.create_task(pushing.push("shop.send", ["a"]))
        await asyncio.to_thread(begun.wait, 20)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await pushing.push("shop.send", ["b"])
        go_on.set()
        await first
        await pushing.close()
        assert ready(cluster) == 1

    asyncio.run(main())


def test_closing_waits_for_what_is_under_way_and_a_later_push_works(
    cluster: Cluster, client: Client, send: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        pushing = AsyncClient(client=client)
        begun, go_on = hold(client, monkeypatch)
        task = asyncio.create_task(pushing.push("shop.send", ["a"]))
        await asyncio.to_thread(begun.wait, 20)
        closing = asyncio.create_task(pushing.close())
        await asyncio.sleep(0)  # so that it has begun
        assert not closing.done()
        go_on.set()
        await closing
        assert ready(cluster) == 1
        await task
        await pushing.push("shop.send", ["b"])
        assert ready(cluster) == 2

    asyncio.run(main())


def test_several_loops_one_client(cluster: Cluster, client: Client, send: Any) -> None:
    pushing = AsyncClient(client=client)

    async def main() -> None:
        await asyncio.gather(*(pushing.push("shop.send", ["a"]) for _ in range(20)))

    threads = [threading.Thread(target=lambda: asyncio.run(main())) for _ in range(3)]
    for thread in threads:
        thread.start()
    asyncio.run(main())
    for thread in threads:
        thread.join()
    assert ready(cluster) == 80


def test_it_works_in_a_child_after_a_fork(cluster: Cluster, client: Client, send: Any) -> None:
    pushing = AsyncClient(client=client)
    asyncio.run(pushing.push("shop.send", ["parent"]))
    child = fork(lambda: asyncio.run(pushing.push("shop.send", ["child"])))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    asyncio.run(pushing.push("shop.send", ["parent"]))
    assert ready(cluster) == 3


def test_a_node_that_hangs_holds_up_no_event_loop(rough: Cluster, rough_servers: ClusterServers) -> None:
    """Pushes to it wait; meanwhile the loop turns, and pushes to the other nodes come back."""
    client = Client(EngineConfig(rough_servers.settings()))

    async def main() -> None:
        async with AsyncClient(client=client, threads=24) as pushing:
            await pushing.push("shop.send", ["a"])
            rough_servers.pause(1)
            try:
                pushes = {asyncio.create_task(pushing.push("shop.send", ["a"])) for _ in range(24)}
                await asyncio.wait(pushes, return_when=asyncio.FIRST_COMPLETED)
                for _ in range(500):
                    await asyncio.sleep(0)  # a turn of the loop
                assert not all(push.done() for push in pushes)
            finally:
                rough_servers.resume(1)
            assert len(set(await asyncio.gather(*pushes))) == 24

    asyncio.run(main())


def test_a_result_is_waited_for_and_a_job_cancelled(client: Client, cluster: Cluster) -> None:
    async def main() -> None:
        waiting = AsyncClient(client=client)
        jid = await waiting.push("shop.send", ["a"], track=True)
        with pytest.raises(StillRunning):
            await waiting.result(jid, wait=0.05)
        result = asyncio.create_task(waiting.result(jid, wait=10))
        assert await waiting.cancel(jid) == "cancelled"
        with pytest.raises(JobFailed) as failed:
            await result
        assert failed.value.how == "cancelled"
        assert (await waiting.job(jid)).how == "cancelled"

    asyncio.run(main())
