"""claim: how much of what it drops or sets aside one call looks at."""

import pytest

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.operations import claim
from support.keyspace import HOST, MAIL, WORKER, add, opened


@pytest.mark.parametrize("label", ["x1\n", ""])
def test_big_ones_are_sifted_a_few_megabytes_at_a_time(cluster: Cluster, label: str) -> None:
    opened(cluster)
    edits = ("careful", "1") if label else ("paused_types", "shop.send")
    cluster.run(Command(MAIL.slot, ("HSET", MAIL.meta, *edits)))
    for place in range(1, 17):
        add(cluster, f"{place}-1", f"j{place}", b=label + "x" * (1 << 20))
    add(cluster, "40-1", "live", t="cheap")
    live, calls = "", 0
    while not live:
        calls += 1
        found = claim.claim(
            cluster, MAIL, HOST, WORKER, calls, budget_us=10**9, cap=64, costs={"shop.send": 1, "cheap": 1}
        )
        live = found.entries[0].jid if found.entries else ""
        assert found.more or live
    assert (live, calls) == ("live", 3)  # 1, 2 and 4 of them in a call
