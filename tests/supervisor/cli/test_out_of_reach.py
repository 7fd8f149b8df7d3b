"""The commands that list and act on many, while one node of the cluster is silent: they do what they can,
name the rest, and say by their exit code that it was not all."""

import json
from collections import Counter
from typing import Any

import pytest

from ganger import jid as jids
from ganger.admin import Admin
from ganger.cluster import Cluster
from ganger.errors import GangerError
from ganger.keys import Control, partitions
from ganger.listing import Missed
from ganger.retry import Failure
from support.batches import made
from support.command import ganger
from support.outage import away
from support.servers import ClusterServers
from support.shop import Shop

CONTROL = Control("ganger")
DARK = "ganger: out of reach: "


def seen(shop: Shop, *words: str) -> tuple[Any, str]:
    """(document, what it said besides) of a command that did not do all."""
    done = ganger(*words, "--json", cwd=shop.cwd, env=shop.env)
    assert done.returncode == 1, done.stderr
    assert "may have run" not in done.stderr
    return json.loads(done.stdout), done.stderr


def lit(servers: ClusterServers, dark: int, names: list[str]) -> set[str]:
    """Those of the jobs whose node answers."""
    places = partitions("ganger", "mail", 12)
    return {jid for jid in names if servers.index_of(places[jids.partition_of(jid)].slot) != dark}


def test_what_is_in_reach_is_listed(shop: Shop, one_cluster: ClusterServers) -> None:
    later = [shop.json("push", "shop.send", "--queue", "mail", "--delay", "1h")["jid"] for _ in range(3)]
    again = [jid for _ in range(24) for jid in shop.push()]
    shop.fail_all("mail", Failure(cause="exception", error="ValueError", message="no such address"))
    with away(one_cluster, CONTROL.slot) as dark:
        for words, all_of_them in ((("retries",), again), (("scheduled",), later)):
            found, said = seen(shop, *words)
            assert {job["jid"] for job in found} == lit(one_cluster, dark, all_of_them)
            assert said.startswith(DARK) and "does not answer" in said and "mail/" in said
    assert len(shop.json("retries")) == 24


def test_dead_letters_in_reach_are_listed_and_sent_back(shop: Shop, one_cluster: ClusterServers) -> None:
    letters = [jid for _ in range(24) for jid in shop.push()]
    shop.bury_all()
    with away(one_cluster, CONTROL.slot) as dark:
        there = lit(one_cluster, dark, letters)
        assert 0 < len(there) < 24
        found, said = seen(shop, "dead", "list")
        assert ({job["jid"] for job in found}, said.startswith(DARK)) == (there, True)
        done, said = seen(shop, "dead", "retry", "--all", "--yes")
        assert done["retried"] == len(there)
        assert all(error.startswith("Redis node ") for error in done["unreachable"].values())
        assert sorted(done["unreachable"]) == sorted(
            f"mail/{place.index}"
            for place in partitions("ganger", "mail", 12)
            if one_cluster.index_of(place.slot) == dark
        )
        assert "the same again" in said
    done = shop.json("dead", "delete", "--all", "--yes")
    assert done == {"deleted": 24 - len(there), "unreachable": {}}


def test_batches_in_reach_are_listed(shop: Shop, engine: Cluster, one_cluster: ClusterServers) -> None:
    batches = [made(engine, members=1) for _ in range(12)]
    with away(one_cluster, CONTROL.slot) as dark:
        found, said = seen(shop, "batches")
        there = {keys.bid for keys in batches if one_cluster.index_of(keys.slot) != dark}
        assert {row["bid"] for row in found} == there
        assert Counter(keys.bid in said for keys in batches) == Counter(
            keys.bid not in there for keys in batches
        )


def test_a_node_that_falls_silent_half_way_is_left_out(
    shop: Shop, engine: Cluster, one_cluster: ClusterServers
) -> None:
    jobs = [jid for _ in range(24) for jid in shop.push()]
    shop.bury_all()
    admin, missed = Admin(engine, CONTROL), Missed()
    assert admin.count_dead(missed=missed) == {"mail": 24} and not missed
    with away(one_cluster, CONTROL.slot) as dark:
        there = lit(one_cluster, dark, jobs)
        assert sum(admin.delete_dead(missed=missed)) == len(there)
        assert {one_cluster.index_of(place.slot) for place in missed} == {dark}
        with pytest.raises(GangerError, match=r"does not answer|can't be reached"):
            list(admin.dead())
    assert len(shop.json("dead", "list")) == 24 - len(there)
