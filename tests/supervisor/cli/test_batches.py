"""`ganger batches` and `ganger batch`: what they show and do, as tables and as JSON."""

from ganger.cluster import Cluster
from ganger.operations import batch
from support.batches import head, made, mark, owed
from support.shop import Shop


def test_what_is_shown(shop: Shop, engine: Cluster) -> None:
    assert "There is no batch" in shop.text("batches")
    assert shop.json("batches") == []
    keys = made(engine, "complete", members=120, committed=True, description="import 42")
    mark(engine, keys, {0: "succeeded j0", 1: "dead j1", 2: "expired j2"})
    (row,) = shop.json("batches")
    shown = shop.json("batch", "show", keys.bid)
    assert row == shown
    assert (shown["state"], shown["total"], shown["pending"], shown["failed"]) == ("running", 120, 117, 2)
    assert shown["failures"] == {"1": "dead j1", "2": "expired j2"}
    assert (shown["complete"], shown["success"], shown["death"]) == ("waiting", "waiting", "none")
    text = shop.text("batch", "show", keys.bid)
    assert "120: 117 pending, 1 succeeded, 2 failed" in text
    assert "expired" in text and "import 42" in text
    assert "import 42" in shop.text("batches", "--limit", "1")


def test_one_that_nobody_commits_can_be(shop: Shop, engine: Cluster) -> None:
    keys = made(engine, "complete", members=1)
    mark(engine, keys, {0: "succeeded"})
    assert "0 of 1 pending" in shop.text("batch", "commit", keys.bid)
    assert owed(engine, keys) == {"j": b"shop.complete "}
    assert shop.json("batch", "commit", keys.bid)["state"] == "complete"


def test_deleting_tells_the_parent(shop: Shop, engine: Cluster) -> None:
    parent, keys = made(engine, members=1, committed=True), made(engine, members=1)
    engine.run(batch.adopt_command(keys, f"{parent.bid}:0"))
    code, said = shop.refused("batch", "delete", keys.bid)
    assert code == 2 and "say --yes" in said
    assert shop.json("batch", "delete", keys.bid, "--yes") == {"deleted": keys.bid}
    assert head(engine, parent)["f:0"] == f"failed {keys.bid}"
    code, said = shop.refused("batch", "show", keys.bid)
    assert code == 1 and f"There is no batch {keys.bid}" in said
    assert shop.refused("batch", "show", "nonsense")[0] == 1
