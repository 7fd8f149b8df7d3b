"""From the end of a member to the callbacks of its batch. What dies in between: test_batch_crashes.py."""

from typing import Any

from ganger import Batch
from ganger.cluster import Cluster
from ganger.operations import batch as operations
from ganger.operations import dead
from support.batches import CONTROL, callbacks, numbers
from support.leader import Hands, Leader


def test_complete_then_success(types: dict[str, Any], leader: Leader, hands: Hands) -> None:
    with Batch(**callbacks(types)) as batch:
        batch.push_many(types["send"], [(number,) for number in range(50)])
    assert len(hands.run()) == 50
    leader.work()
    assert numbers(batch) == (0, 50, 0)
    assert hands.run(only="shop.complete") == ["complete"]
    leader.work()
    assert hands.run(only="shop.success") == ["success"]
    leader.work()
    assert hands.run() == []
    status = batch.status()
    assert (status.complete, status.success, status.death) == ("succeeded", "succeeded", "waiting")
    assert operations.live_page(leader.cluster, CONTROL, 0, 10, deadline_s=1.0) == []


def test_a_dead_member_that_is_retried_and_succeeds(
    types: dict[str, Any], leader: Leader, hands: Hands, cluster: Cluster
) -> None:
    with Batch(**callbacks(types)) as batch:
        batch.push_many(types["send"], [(number,) for number in range(3)])
    victim, *others = hands.take()
    hands.end(victim, "dead")
    leader.work()
    assert hands.run("dead", only="shop.death") == ["death"]
    for entry in others:
        hands.end(entry, "succeeded")
    leader.work()
    assert hands.run("exhausted", only="shop.complete") == ["complete"]
    leader.work()
    assert hands.run() == []
    status = batch.status()
    assert (status.state, status.succeeded, status.failed) == ("complete", 2, 1)
    assert list(status.failures.values()) == [f"dead {victim.jid}"]
    assert dead.retry(cluster, victim.partition, [dead.Letter(victim.jid, victim.state)]) == 1
    assert len(hands.run()) == 1
    leader.work()
    assert hands.run(only="shop.success") == ["success"]
    leader.work()
    status = batch.status()
    assert (status.state, status.failed, status.failures) == ("success", 0, {})
    assert (status.complete, status.death, status.success) == ("exhausted", "dead", "succeeded")


def test_members_and_callbacks_add_to_their_batch(
    types: dict[str, Any], leader: Leader, hands: Hands
) -> None:
    with Batch(complete=types["complete"], success=types["success"]) as batch:
        batch.push(types["send"])
    (entry,) = hands.take()
    Batch.open(batch.bid).push(types["send"])
    hands.end(entry, "succeeded")
    leader.work()
    assert numbers(batch) == (1, 1, 0)
    hands.run()
    leader.work()
    (entry,) = hands.take()
    assert entry.type == "shop.complete"
    Batch.open(batch.bid).push(types["send"])
    hands.end(entry, "succeeded")
    leader.work()
    assert hands.run() == ["2"]
    leader.work()
    assert hands.run(only="shop.success") == ["success"]


def test_a_child_succeeds_before_its_parent_does(
    types: dict[str, Any], leader: Leader, hands: Hands, cluster: Cluster
) -> None:
    with (
        Batch(complete=types["complete"], success=types["success"]) as parent,
        parent.child(success=types["success"]) as child,
        child.child() as grandchild,
    ):
        grandchild.push(types["send"])
    hands.run()
    leader.work()
    assert (numbers(grandchild), numbers(child), numbers(parent)) == ((0, 1, 0), (0, 1, 0), (1, 0, 0))
    (entry,) = hands.take()
    assert entry.body.startswith(f"b{child.bid}:success".encode())
    hands.end(entry, "succeeded")
    leader.work()
    assert numbers(parent) == (0, 1, 0)
    assert hands.run(only="shop.complete") == ["complete"]
    leader.work()
    assert hands.run(only="shop.success") == ["success"]
    leader.work()
    assert parent.status().state == "success"


def test_a_death_inside_is_one_outside_and_a_late_success_too(
    types: dict[str, Any], leader: Leader, hands: Hands, cluster: Cluster
) -> None:
    with Batch(**callbacks(types)) as parent, parent.child() as child:
        child.push(types["send"])
    (victim,) = hands.take()
    hands.end(victim, "dead")
    leader.work()
    found = hands.take()
    assert sorted(entry.type for entry in found) == ["shop.complete", "shop.death"]
    for entry in found:
        hands.end(entry, "succeeded")
    leader.work()
    assert (numbers(child), numbers(parent)) == ((0, 0, 1), (0, 0, 1))
    dead.retry(cluster, victim.partition, [dead.Letter(victim.jid, victim.state)])
    hands.run()
    leader.work()
    assert numbers(parent) == (0, 1, 0)
    assert hands.run(only="shop.success") == ["success"]


def test_an_empty_batch_fires(types: dict[str, Any], leader: Leader, hands: Hands) -> None:
    with Batch(complete=types["complete"], success=types["success"]):
        pass
    leader.work()
    assert hands.run(only="shop.complete") == ["complete"]
    leader.work()
    assert hands.run(only="shop.success") == ["success"]
