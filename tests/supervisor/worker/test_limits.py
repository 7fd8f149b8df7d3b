"""Limits in a worker's handler: a job that meets one that is reached comes back with no attempt used, and its
timeout ends its wait."""

import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from ganger import job, rate_limit, semaphore
from ganger.client import set_default_client
from ganger.cluster import Cluster
from ganger.operations import find
from ganger.throttle.default import Throttles, set_default_throttles
from ganger.throttle.servers import Servers
from gangerd.linux.signals import SOFT_TIMEOUT_SIGNAL
from support.servers import ClusterServers
from support.throttles import ThrottleServers
from support.worker_bench import Bench


@pytest.fixture
def bench(
    cluster_servers: ClusterServers, cluster: Cluster, throttle_servers: ThrottleServers
) -> Iterator[Bench]:
    throttles = Throttles(Servers(throttle_servers.urls, answer_s=2.0), "ganger")
    set_default_throttles(throttles)
    one = Bench(cluster_servers, cluster)
    set_default_client(one.client)
    yield one
    set_default_client(None)
    set_default_throttles(None)
    one.client.close()
    throttles.servers.close()


@job(name="l.call", queue="q", retry=0)
def call() -> None:
    with semaphore("api", limit=1, wait=0):
        pass


@job(name="l.mail", queue="q", retry=0)
def mail() -> None:
    rate_limit("mail", "1/h").take()


@job(name="l.wait", queue="q", retry=0, dead=True, timeout=0.01, grace=60)
def wait() -> None:
    with semaphore("api", limit=1):
        pass


@job(name="l.pace", queue="q", retry=0, dead=True, timeout=0.01, grace=60)
def pace() -> None:
    rate_limit("mail", "1/h").take(wait=None)


@pytest.mark.parametrize(
    ("type", "error", "longest_s"), [("l.call", "NoPermit", 15), ("l.mail", "RateExceeded", 3700)]
)
def test_a_reached_limit_uses_no_attempt(bench: Bench, type: str, error: str, longest_s: int) -> None:
    rate_limit("mail", "1/h").take()
    with semaphore("api", limit=1):
        jid = bench.client.push(type, queue="q")
        bench.run_all()
    found = find.find(bench.cluster, bench.partition, jid)
    assert found is not None
    assert (found.record.state.attempts, found.record.state.failures[-1].error) == (0, error)
    assert found.due_at_ms is not None
    assert 0 < found.due_at_ms - time.time() * 1000 < longest_s * 1000


@pytest.mark.parametrize("type", ["l.wait", "l.pace"])
def test_a_timeout_ends_a_wait(bench: Bench, type: str) -> None:
    rate_limit("mail", "1/h").take()
    before = signal.signal(SOFT_TIMEOUT_SIGNAL, bench.performer.soft.knock)
    ended = threading.Event()

    def knock() -> None:
        while not ended.wait(0.02):
            os.kill(os.getpid(), SOFT_TIMEOUT_SIGNAL)

    master = threading.Thread(target=knock)
    try:
        with semaphore("api", limit=1):
            master.start()
            jid = bench.client.push(type, queue="q")
            bench.run_all()
    finally:
        ended.set()
        master.join()
        signal.signal(SOFT_TIMEOUT_SIGNAL, before)
    found = find.find(bench.cluster, bench.partition, jid)
    assert found is not None
    assert found.record.state.failures[-1].cause == "timeout"
