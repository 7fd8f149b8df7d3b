"""record_run: a run's record changes only from the states that its writer knows of; the newest are kept."""

import pytest

from ganger.cluster import Cluster
from ganger.keys import Control
from ganger.operations import runs
from ganger.operations.runs import Run
from support.history import RUN
from support.keyspace import snapshot
from support.servers import ClusterServers

KEYS = Control("ganger")


def test_it_changes_by_comparison(cluster: Cluster, cluster_servers: ClusterServers) -> None:
    run = Run(run=RUN, kind="rewind", queue="mail", moved={3: 5})
    assert runs.record(cluster, KEYS, run, ("new",)) is None
    assert runs.find(cluster, KEYS, RUN) == run
    run.state = "undone"
    assert runs.record(cluster, KEYS, run, ("running", "stopped")) is None
    before = snapshot(cluster_servers)
    run.state = "finished"
    assert runs.record(cluster, KEYS, run, ("running", "stopped")) == "undone"
    assert runs.record(cluster, KEYS, run, ("new",)) == "undone"
    assert snapshot(cluster_servers) == before
    assert runs.find(cluster, KEYS, "nobody") is None


def test_the_newest_are_kept(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "MAX_RUNS", 3)
    for number in range(5):
        runs.record(cluster, KEYS, Run(run=f"{number}", kind="skip", queue="mail"), ("new",))
    assert [run.run for run in runs.runs(cluster, KEYS)] == ["4", "3", "2"]
