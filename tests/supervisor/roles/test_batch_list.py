"""The scheduler's look at all batches: which are over, which were never made, and what statsd hears."""

import socket
from collections.abc import Iterator

import pytest

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.operations import batch
from gangerd.roles.scheduler import batches as looking
from gangerd.roles.scheduler.batches import Batches
from gangerd.roles.scheduler.outbox import Outbox
from support.batches import CONTROL, made, mark


@pytest.fixture
def ear() -> Iterator[socket.socket]:
    """In statsd's place."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.bind(("127.0.0.1", 0))
        made.settimeout(10)
        yield made


def live(cluster: Cluster) -> list[str]:
    return batch.live_page(cluster, CONTROL, 0, 100, deadline_s=1.0)


def test_only_those_that_are_over_leave_the_list(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "PAGE", 2)
    look = Batches(cluster, CONTROL, Outbox(cluster), "")
    over = [made(cluster, committed=True).bid for _ in range(3)]
    kept = [made(cluster, members=1, committed=True).bid for _ in range(3)]
    for bid in ("b-" + "0" * 21, "b-" + "1" * 21):
        batch.register(cluster, CONTROL, bid)
    cluster.run(Command(CONTROL.slot, ("ZADD", CONTROL.batches_live, 5, "b-" + "0" * 21)))
    for _ in range(3):
        look.look()
    assert set(live(cluster)) == {*kept, "b-" + "1" * 21}
    assert set(batch.recent(cluster, CONTROL, 100)) == {*kept, *over, "b-" + "1" * 21}


def test_what_a_batch_owes_is_walked(cluster: Cluster) -> None:
    walks = Outbox(cluster)
    made(cluster, "complete", committed=True)
    assert walks.next_in_ms() is None
    Batches(cluster, CONTROL, walks, "").look()
    assert walks.next_in_ms() == 0.0


def test_statsd_hears_what_is_new(cluster: Cluster, ear: socket.socket) -> None:
    before = made(cluster, members=1, committed=True)
    look = Batches(cluster, CONTROL, Outbox(cluster), f"127.0.0.1:{ear.getsockname()[1]}")
    look.look()
    mark(cluster, before, {0: "expired"})
    fresh = made(cluster, members=1, committed=True)
    look.look()
    mark(cluster, fresh, {0: "succeeded"})
    made(cluster, members=1)
    look.look()
    look.look()
    look.close()
    told = {line.partition(b":")[0]: line for line in ear.recv(2000).split()}
    assert told == {
        b"ganger.batch.created": b"ganger.batch.created:2|c",
        b"ganger.batch.complete": b"ganger.batch.complete:2|c",
        b"ganger.batch.success": b"ganger.batch.success:1|c",
    }
