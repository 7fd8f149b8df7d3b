"""Batches: whatever dies between two steps, no member is lost or counted twice, and a callback fires once."""

from typing import Any

import pytest

from ganger import Batch
from ganger.cluster import Cluster
from ganger.command import Command
from ganger.errors import NodeDown, OutcomeUnknown
from ganger.keys import BatchKeys, Partition
from ganger.members import Members
from ganger.operations import batch as operations
from ganger.operations import outbox
from support.batches import box_of, callbacks, effects, numbers
from support.leader import Hands, Leader


def test_a_producer_that_dies_after_adding_has_its_members_delivered(
    types: dict[str, Any], leader: Leader, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Crash point: numbered and kept, not pushed. Also of partitions that were never opened."""
    monkeypatch.setattr(Members, "_deliver", lambda self, parcels: [])
    with Batch() as batch:
        batch.push_many(types["send"], [(number,) for number in range(40)])
    assert hands.take() == []
    leader.work()
    assert len(hands.run()) == 40
    leader.work()
    assert batch.status().state == "success"


def test_a_producer_that_dies_after_pushing_has_pushed_once(
    types: dict[str, Any], leader: Leader, hands: Hands, monkeypatch: pytest.MonkeyPatch, cluster: Cluster
) -> None:
    """Crash point: pushed, the batch's outbox not cleared; also when the job has long run."""
    monkeypatch.setattr(Members, "_clearing", lambda self, delivered: [])
    with Batch() as batch:
        batch.push_many(types["send"], [(number,) for number in range(40)])
    assert len(effects(cluster, box_of(batch))) == 3
    assert len(hands.run()) == 40
    leader.work()
    assert hands.run() == []
    assert effects(cluster, box_of(batch)) == []
    assert numbers(batch) == (0, 40, 0)


def test_a_lost_reply_to_an_addition_adds_nothing_twice(
    types: dict[str, Any], leader: Leader, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Crash point: the reply is lost; the transport sends the same again, after all else happened."""
    added: list[Any] = []
    original = operations.add_command

    def remember(*args: Any) -> Any:
        added.append(original(*args))
        return added[-1]

    monkeypatch.setattr(operations, "add_command", remember)
    with Batch() as batch:
        batch.push(types["send"])
        batch.push(types["send"])
    hands.run()
    leader.work()
    for command in added:
        leader.cluster.run(command)
    leader.work()
    assert hands.run() == []
    assert (batch.status().total, batch.status().state) == (2, "success")


def test_a_mark_that_was_not_cleared_moves_nothing_again(
    types: dict[str, Any], hands: Hands, cluster: Cluster, mail: tuple[Partition, ...]
) -> None:
    """Crash point: the leader dies between mark and clear, again and again; and two lead at once."""
    with Batch(**callbacks(types)) as batch:
        batch.push_many(types["send"], [(number,) for number in range(10)])
    for number, entry in enumerate(hands.take()):
        hands.end(entry, "dead" if number == 0 else "succeeded")
    boxes = [outbox.box_of(place) for place in mail]
    found = effects(cluster, *boxes)
    assert len(found) == 10
    for _ in range(3):
        assert list(Leader(cluster, mail).marks.deliver(found)) == found
    assert numbers(batch) == (0, 9, 1)
    Leader(cluster, mail).work()
    assert sorted(entry.type for entry in hands.take()) == ["shop.complete", "shop.death"]
    assert effects(cluster, *boxes) == []


def test_a_callback_is_found_by_a_leader_that_knows_nothing_and_pushed_once(
    types: dict[str, Any], leader: Leader, hands: Hands, cluster: Cluster, mail: tuple[Partition, ...]
) -> None:
    """Crash points: the mark decided that a callback fires, then the leader dies; the callback was pushed,
    its effect not cleared."""
    with Batch(complete=types["complete"]) as batch:
        batch.push(types["send"])
    hands.run()
    marks = effects(cluster, *[outbox.box_of(place) for place in mail])
    list(leader.marks.deliver(marks))
    (callback,) = effects(cluster, box_of(batch))
    for _ in range(2):
        assert list(Leader(cluster, mail).parcels.deliver([callback])) == [callback]
    Leader(cluster, mail).work()
    assert hands.run(only="shop.complete") == ["complete"]
    assert list(Leader(cluster, mail).parcels.deliver([callback])) == [callback]
    assert hands.take() == []


def test_a_child_whose_maker_dies_before_it_knows_its_number_is_told(
    types: dict[str, Any], leader: Leader, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Crash point: numbered in the parent, the child not told."""

    def dies(*_: Any) -> Any:
        raise OutcomeUnknown("the producer is gone")

    parent = Batch()
    child = parent.child()
    with monkeypatch.context() as patched:
        patched.setattr(operations, "adopt_command", dies)
        with pytest.raises(OutcomeUnknown):
            child.push(types["send"])
    leader.work()
    assert child.status().parent_bid == parent.bid
    child.push(types["send"])
    child.commit()
    parent.commit()
    hands.run()
    leader.work()
    assert (parent.status().total, parent.status().state) == (1, "success")


def test_a_child_that_is_gone_has_failed(types: dict[str, Any], leader: Leader, cluster: Cluster) -> None:
    with Batch() as parent:
        parent._members.reserve("c:b-" + "0" * 21, "0" * 29)
    leader.work()
    assert numbers(parent) == (0, 0, 1)
    assert effects(cluster, box_of(parent)) == []


def test_a_batch_that_is_gone_is_told_nothing(
    types: dict[str, Any], leader: Leader, hands: Hands, cluster: Cluster, mail: tuple[Partition, ...]
) -> None:
    with Batch() as batch:
        batch.push(types["send"])
    assert operations.delete(cluster, BatchKeys("ganger", batch.bid))
    hands.run()
    leader.work()
    assert effects(cluster, *[outbox.box_of(place) for place in mail]) == []


def test_a_batch_out_of_reach_holds_up_no_other(
    types: dict[str, Any], leader: Leader, hands: Hands, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Batch() as away:
        away.push(types["send"])
    with Batch() as near:
        near.push(types["send"])
    hands.run()
    run_many = Cluster.run_many
    lost = BatchKeys("ganger", away.bid)

    def broken(self: Cluster, commands: Any, **options: Any) -> list[Any]:
        replies = run_many(self, [one for one in commands if lost.head not in one.words], **options)
        rest = iter(replies)
        return [NodeDown("away") if lost.head in one.words else next(rest) for one in commands]

    with monkeypatch.context() as patched:
        patched.setattr(Cluster, "run_many", broken)
        leader.walks.step()
        for place in leader.places:
            leader.walks.attend(outbox.box_of(place))
        leader.walks.step()
    assert near.status().state == "success"
    assert numbers(away) == (1, 0, 0)
    leader.work()
    assert away.status().state == "success"


def test_partitions_are_opened_by_the_first_member(
    types: dict[str, Any], hands: Hands, cluster: Cluster, mail: tuple[Partition, ...]
) -> None:
    for place in mail:
        cluster.run(Command(place.slot, ("DEL", place.meta)))
    with Batch() as batch:
        batch.push_many(types["send"], [(1,)] * 48)
    assert len(hands.run()) == 48
