"""A shop whose jobs belong to batches; a leader and workers, step by step, in this process."""

from collections.abc import Iterator
from typing import Any

import pytest

from ganger import actor, job
from ganger.client import Client, set_default_client
from ganger.cluster import Cluster
from ganger.config import EngineConfig
from ganger.keys import Partition
from support import jobs
from support.leader import Hands, Leader
from support.servers import ClusterServers


@pytest.fixture
def mail(cluster: Cluster) -> tuple[Partition, ...]:
    return jobs.queue(cluster, count=3)


@pytest.fixture
def types(
    cluster: Cluster, cluster_servers: ClusterServers, mail: object, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, Any]]:
    monkeypatch.setattr(actor, "_registry", {})
    set_default_client(Client(EngineConfig(cluster_servers.settings()), cluster=cluster))

    def handler(number: int = 0) -> None: ...

    yield {
        name: job(name=f"shop.{name}", queue="mail")(handler)
        for name in ("send", "complete", "success", "death")
    }
    set_default_client(None)


@pytest.fixture
def leader(cluster: Cluster, mail: tuple[Partition, ...]) -> Leader:
    return Leader(cluster, mail)


@pytest.fixture
def hands(cluster: Cluster, mail: tuple[Partition, ...]) -> Hands:
    return Hands(cluster, mail)
