"""Middleware around pushes: what it may change, how it refuses, in which order; context that travels."""

from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

import pytest

from ganger import Client, Outgoing, PushRefused, inspect, middleware, propagate, push_middleware
from ganger.cluster import Cluster
from ganger.config import EngineConfig
from ganger.errors import BadArguments, BadMiddleware, BadOptions
from ganger.keys import Control
from ganger.middleware import perform_middleware
from support.keyspace import snapshot
from support.servers import ClusterServers

Proceed = Callable[[], list[str]]


@pytest.fixture(autouse=True)
def nothing_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    for chain in ("_push", "_perform", "_perform_async"):
        monkeypatch.setattr(middleware, chain, [])


@pytest.fixture
def client(cluster: Cluster, cluster_servers: ClusterServers) -> Iterator[Client]:
    yield Client(EngineConfig(cluster_servers.settings()), cluster=cluster)


def show(cluster: Cluster, jid: str) -> dict[str, Any]:
    return inspect.job(cluster, Control("ganger"), jid)


def test_the_first_registered_is_outermost_and_sees_the_jids(client: Client) -> None:
    seen: list[Any] = []

    @push_middleware
    def outer(push: Outgoing, proceed: Proceed) -> None:
        seen.append(("outer", push.type, [call.args for call in push.calls]))
        seen.append(proceed())

    @push_middleware
    def inner(push: Outgoing, proceed: Proceed) -> None:
        seen.append("inner")
        proceed()
        seen.append("pushed")

    jids = client.push_many("shop.send", [(1,), (2,)])
    assert seen == [("outer", "shop.send", [[1], [2]]), "inner", "pushed", jids]
    assert len(jids) == 2, "what a middleware returns changes nothing"


def test_it_may_change_arguments_headers_and_options(cluster: Cluster, client: Client) -> None:
    @push_middleware
    def change(push: Outgoing, proceed: Proceed) -> list[str]:
        for call in push.calls:
            call.args.append("more")
            call.kwargs["subject"] = "changed"
        push.headers["tenant"] += "7"
        push.change(queue="slow", delay=60, retry=2)
        return proceed()

    found = show(cluster, client.push("shop.send", ["a"], priority=9, headers={"tenant": "n"}))
    assert (found["args"], found["kwargs"]) == (["a", "more"], {"subject": "changed"})
    assert (found["queue"], found["state"], found["priority"]) == ("slow", "scheduled", 9)
    assert (found["headers"], found["overrides"]) == ({"tenant": "n7"}, {"retry": 2})


def test_a_refused_push_leaves_nothing(client: Client, cluster_servers: ClusterServers) -> None:
    client.push("shop.send")
    before = snapshot(cluster_servers)

    @push_middleware
    def refuse(push: Outgoing, proceed: Proceed) -> None:
        raise PushRefused(f"{push.type} is not for this tenant.")

    with pytest.raises(PushRefused, match="not for this tenant"):
        client.push_many("shop.send", [(1,), (2,)])
    assert snapshot(cluster_servers) == before


def test_one_that_forgets_to_proceed_is_told(client: Client) -> None:
    @push_middleware
    def forgets(push: Outgoing, proceed: Proceed) -> None: ...

    with pytest.raises(PushRefused, match="without a push"):
        client.push("shop.send")


def test_one_that_proceeds_twice_is_told_and_pushes_once(client: Client, cluster: Cluster) -> None:
    @push_middleware
    def twice(push: Outgoing, proceed: Proceed) -> None:
        proceed()
        proceed()

    with pytest.raises(BadMiddleware, match=r"twice called proceed\(\) a second time"):
        client.push("shop.send", queue="mail")
    assert inspect.queues(cluster, Control("ganger"))["mail"]["ready"] == 1


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        (lambda push: push.calls[0].args.append(object()), BadArguments, r"args\[1\]"),
        (lambda push: push.calls[0].kwargs.update(at=float("nan")), BadArguments, "'at'"),
        (lambda push: push.headers.update(size=3), BadOptions, "'size' must be a text"),
        (lambda push: push.headers.update(size="x" * 9000), BadOptions, "9004 bytes"),
        (lambda push: push.change(priority=10), BadOptions, "priority"),
    ],
)
def test_a_change_that_can_t_be_sent_is_named(
    client: Client, change: Callable[[Outgoing], None], error: type[Exception], text: str
) -> None:
    @push_middleware
    def wrong(push: Outgoing, proceed: Proceed) -> list[str]:
        change(push)
        return proceed()

    with pytest.raises(error, match=text):
        client.push("shop.send", [1])


@pytest.mark.parametrize(
    ("given", "text"),
    [(3, "is no function"), (lambda job: None, r"must take two arguments: \(job, proceed\)")],
)
def test_what_is_no_middleware_is_refused(given: Any, text: str) -> None:
    for register in (push_middleware, perform_middleware):
        with pytest.raises(BadMiddleware, match=text):
            register(given)


def test_a_push_middleware_is_no_coroutine() -> None:
    async def waits(push: Outgoing, proceed: Proceed) -> None: ...

    with pytest.raises(BadMiddleware, match="is async def"):
        push_middleware(waits)


def test_a_plain_body_has_no_headers_in_it(cluster: Cluster, client: Client) -> None:
    from ganger.job import Body, encode_body

    assert encode_body(Body([1])) == b'{"args":[1]}'
    assert show(cluster, client.push("shop.send"))["headers"] == {}


def test_a_contextvar_travels_where_it_is_set(cluster: Cluster, client: Client) -> None:
    request: ContextVar[str] = ContextVar("request", default="nobody's")
    tenant: ContextVar[int] = ContextVar("tenant")
    propagate(request, "request_id")
    propagate(tenant, "tenant", dump=str, load=int)
    assert show(cluster, client.push("shop.send"))["headers"] == {}
    marks = request.set("r-1"), tenant.set(7)
    try:
        assert show(cluster, client.push("shop.send"))["headers"] == {"request_id": "r-1", "tenant": "7"}
        given = client.push("shop.send", headers={"request_id": "named"})
        assert show(cluster, given)["headers"]["request_id"] == "named"
    finally:
        request.reset(marks[0])
        tenant.reset(marks[1])


def test_propagate_says_what_it_takes() -> None:
    with pytest.raises(BadMiddleware, match="takes a ContextVar"):
        propagate("request", "request")  # type: ignore[call-overload]
