"""`ganger bench`: which cases there are, one on servers of its own, one on a cluster that is there."""

import json
from pathlib import Path

import pytest

from ganger.cluster import Cluster
from gangerd.bench.cases import CASES
from gangerd.cli.bench import missed
from support.command import document, ganger
from support.shop import Shop


def test_it_says_which_cases_there_are(tmp_path: Path) -> None:
    assert document("bench", "--list", cwd=tmp_path) == CASES
    told = ganger("bench", "fast", cwd=tmp_path)
    assert told.returncode == 2 and "there is no case 'fast'; there are throughput, push" in told.stderr
    told = ganger("bench", "--no-embedded", cwd=tmp_path)
    assert told.returncode == 2 and "set GANGER_REDIS" in told.stderr


@pytest.mark.system
def test_a_case_on_servers_of_its_own(tmp_path: Path) -> None:
    told = ganger("bench", "push", "--quick", "--out", "told", cwd=tmp_path, timeout_s=90)
    assert told.returncode == 0, told.stderr
    assert "servers of its own on the same cores" in told.stdout and "of single" in told.stdout
    found = json.loads((tmp_path / "told" / "performance.json").read_text())
    (case,) = found["cases"]
    assert {figure["key"] for figure in case["figures"]} >= {"push.single", "push.pipelined", "push.bulk"}
    assert {target["what"] for target in found["targets"]} == {"push in bulk", "push one by one"}
    assert (tmp_path / "told" / "performance.svg").read_text().startswith("<svg")
    assert [path.name for path in tmp_path.iterdir()] == ["told"], "nothing else is left behind"


@pytest.mark.system
def test_a_case_on_a_cluster_that_is_there(shop: Shop, engine: Cluster) -> None:
    jid = shop.push(1, queue="stock")
    before = keys(engine)
    found = shop.json("bench", "profile", "--quick", "--no-embedded")
    assert found["measured_on"]["own_servers"] is False and found["measured_on"]["primaries"] == 3
    (case,) = found["cases"]
    assert (case["name"], case["failed"]) == ("profile", "")
    figures = {figure["key"]: figure["value"] for figure in case["figures"]}
    assert figures["profile.worker"] > 0 and figures["profile.worker.0"] > 0
    assert keys(engine) == before, f"it has emptied its namespace, and left {jid} alone"


def keys(cluster: Cluster) -> list[bytes]:
    return sorted(key for node in cluster.nodes() for key in cluster.run_on(node, ("KEYS", "*")))


def test_what_is_missed_by_a_hair_is_missed_all_the_same() -> None:
    assert [missed(by) for by in (0.001, 0.01, 2.134)] == [
        "missed by less than 1%",
        "missed by 1%",
        "missed by 213%",
    ]
