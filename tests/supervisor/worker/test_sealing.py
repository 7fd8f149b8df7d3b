"""Encrypted arguments in a worker: clear to the handler and its middlewares, never to Redis or in errors."""

from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any

import pytest
from cryptography.fernet import Fernet

from ganger import Attempt, encrypt_arguments, job, middleware, perform_middleware
from ganger.cluster import Cluster
from ganger.job import FailureRecord
from ganger.operations import find
from ganger.sealing import VARIABLE
from support.keyspace import snapshot
from support.servers import ClusterServers
from support.worker_bench import Bench

SECRET = "card-s3cret"
ran: list[Any] = []


class Kind(Enum):
    VISA = "visa"


@job(name="s.pay", queue="q", encrypt=True, retry=0, dead=True)
def pay(card: str, amount: int = 0) -> None:
    ran.append((card, amount))


@job(name="s.typed", queue="q", encrypt=True, retry=0, dead=True)
def typed(kind: Kind) -> None: ...


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    ran.clear()
    monkeypatch.setattr(middleware, "_perform", [])
    monkeypatch.setenv(VARIABLE, f"a:{Fernet.generate_key().decode()}")
    encrypt_arguments()
    yield
    encrypt_arguments()


@pytest.fixture
def start(cluster_servers: ClusterServers, cluster: Cluster) -> Iterator[Callable[[], Bench]]:
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


@pytest.mark.parametrize("wrapped", [False, True])
def test_the_handler_gets_what_was_pushed(start: Callable[[], Bench], wrapped: bool) -> None:
    seen: list[Any] = []
    if wrapped:

        @perform_middleware
        def watch(job: Attempt, proceed: Callable[[], Any]) -> None:
            seen.append((job.args, job.kwargs))
            proceed()

    bench = start()
    pay.options().push_with(bench.client, SECRET, amount=3)
    assert SECRET.encode() not in repr(snapshot(bench.servers)).encode()
    bench.run_all()
    assert ran == [(SECRET, 3)]
    assert seen == ([([SECRET], {"amount": 3})] if wrapped else [])


def test_a_worker_without_the_key_fails_the_attempt_and_says_which(
    start: Callable[[], Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = start()
    jid = pay.options().push_with(bench.client, SECRET)
    monkeypatch.setenv(VARIABLE, f"b:{Fernet.generate_key().decode()}")
    encrypt_arguments()
    bench.run_all()
    found = failure(bench, jid)
    assert (ran, found.cause, found.error) == ([], "bad_arguments", "CantDecrypt")
    assert "encrypted with key 'a'" in found.message


def test_a_worker_without_any_keys_says_so(
    start: Callable[[], Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = start()
    jid = pay.options().push_with(bench.client, SECRET)
    monkeypatch.delenv(VARIABLE)
    encrypt_arguments()
    bench.run_all()
    assert failure(bench, jid).error == "NotConfigured"


@pytest.mark.parametrize("wrapped", [False, True])
def test_arguments_that_don_t_fit_the_handler_are_not_shown(
    start: Callable[[], Bench], wrapped: bool
) -> None:
    """The handler has changed since the push: its error would quote the value."""
    if wrapped:

        @perform_middleware
        def through(job: Attempt, proceed: Callable[[], Any]) -> None:
            proceed()

    bench = start()
    encrypt_arguments(all_types=True)
    jid = bench.client.push("s.typed", [SECRET], queue="q")
    bench.run_all()
    found = failure(bench, jid)
    assert found.cause == "bad_arguments"
    assert "they are encrypted" in found.message
    assert SECRET.encode() not in repr(snapshot(bench.servers)).encode()
