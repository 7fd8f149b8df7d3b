"""A producer whose wall clock is wrong by hours: nothing that counts goes by it."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from ganger import Batch, Client, admin, inspect, job
from ganger.client import set_default_client
from ganger.cluster import Cluster
from ganger.config import EngineConfig
from ganger.errors import JobNotFound
from ganger.keys import Control
from ganger.operations.cancel import Cancel
from support.keyspace import now_ms
from support.servers import ClusterServers

KEYS = Control("ganger")
HOUR_MS = 3_600_000
NEAR_MS = 60_000
"""Clocks that differ by hours are told apart, however busy the machine is."""


@pytest.fixture(autouse=True)
def client(cluster: Cluster, cluster_servers: ClusterServers) -> Iterator[Client]:
    made = Client(EngineConfig(cluster_servers.settings()), cluster=cluster)
    set_default_client(made)
    yield made
    set_default_client(None)


@pytest.fixture(params=[-2, 2], ids=["behind", "ahead"])
def wrong_ms(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """By so much the clock of this process is ahead; the servers' is right."""
    right, by_ms = time.time_ns, int(request.param) * HOUR_MS
    monkeypatch.setattr(time, "time_ns", lambda: right() + by_ms * 1_000_000)
    return by_ms


@job(queue="clocks", expires_in=3600)
def soon() -> None: ...


@job(queue="clocks", unique_for=3600, on_conflict="replace")
def single() -> None: ...


def about(cluster: Cluster, jid: str) -> dict[str, Any]:
    return inspect.job(cluster, KEYS, jid)


def test_a_job_has_neither_less_time_to_begin_nor_more(cluster: Cluster, wrong_ms: int) -> None:
    found = about(cluster, soon.push())
    assert abs(found["pushed_at_ms"] - wrong_ms - now_ms(cluster)) < NEAR_MS
    assert abs(found["expires_at_ms"] - HOUR_MS - now_ms(cluster)) < NEAR_MS
    later = about(cluster, soon.options(delay=7200).push())
    assert abs(later["due_at_ms"] - 2 * HOUR_MS - now_ms(cluster)) < NEAR_MS
    assert later["expires_at_ms"] == later["due_at_ms"] + HOUR_MS
    assert about(cluster, soon.options(at=2e9).push())["expires_at_ms"] == 2_000_003_600_000


def test_a_waiting_job_is_found_by_its_name(cluster: Cluster, wrong_ms: int) -> None:
    jids = [soon.push() for _ in range(3)]
    assert [about(cluster, jid)["state"] for jid in jids] == ["ready"] * 3
    assert admin.Admin(cluster, KEYS).cancel(jids[1]) == Cancel.CANCELLED
    assert inspect.queues(cluster, KEYS)["clocks"]["ready"] == 2


def test_a_producer_that_believes_it_is_1970_has_its_jobs_found_as_well(
    client: Client, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: NEAR_MS * 1_000_000)
    jid = soon.push()
    assert about(cluster, jid)["state"] == "ready"
    assert admin.Admin(cluster, KEYS).cancel(jid) == Cancel.CANCELLED
    with pytest.raises(JobNotFound):
        about(cluster, jid)
    assert single.push() != single.push() and inspect.queues(cluster, KEYS)["clocks"]["ready"] == 1


def test_the_holder_of_a_lock_is_known_and_replaced(client: Client, cluster: Cluster, wrong_ms: int) -> None:
    first = single.push()
    assert client.holder(single.name) == first
    second = single.push()
    assert second != first and client.holder(single.name) == second
    assert inspect.queues(cluster, KEYS)["clocks"]["ready"] == 1


def test_a_lock_whose_time_is_over_is_nobody_s(client: Client, cluster: Cluster, wrong_ms: int) -> None:
    jid = single.options(unique_for=0.001).push()
    made_ms = now_ms(cluster)
    while now_ms(cluster) <= made_ms + 1:
        pass
    assert client.holder(single.name) is None and about(cluster, jid)["state"] == "ready"


def test_a_batch_that_moved_just_now_is_not_abandoned(cluster: Cluster, wrong_ms: int) -> None:
    batch = Batch()
    batch.push(soon)
    assert batch.status().state == "open"
    assert [each.state for each in admin.Admin(cluster, KEYS).batches()] == ["open"]
    batch.commit()


def test_a_check_names_each_node_whose_clock_is_another(cluster: Cluster, wrong_ms: int) -> None:
    said = "behind" if wrong_ms > 0 else "ahead of"
    warnings = [warning for warning in cluster.check() if "clock" in warning]
    assert len(warnings) == len(cluster.nodes()) and all(said in warning for warning in warnings), warnings
