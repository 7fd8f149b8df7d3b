"""Batches under random deaths: producers, workers and leaders that stop between any two steps.

A model of a few lines says what must come out: every accepted member runs once (once more for each time it
was sent back from the dead letters or the log, once less when it was skipped or cancelled), those count as
succeeded that ever did, and each callback comes once, in order.
"""

import random
from collections import Counter
from typing import Any

import pytest

from ganger import Batch
from ganger.cluster import Cluster
from ganger.command import Command
from ganger.job import Entry
from ganger.keys import Partition
from ganger.lifecycle import JobState
from ganger.operations import cancel, dead, find, outbox, replay
from ganger.operations.replay import Choice
from support.batches import box_of, effects
from support.history import retaining
from support.leader import Hands, Leader

ENDS = ("succeeded", "succeeded", "succeeded", "dead", "exhausted", "expired", "cancelled")


class Walk:
    def __init__(
        self, seed: int, types: dict[str, Any], cluster: Cluster, mail: tuple[Partition, ...]
    ) -> None:
        self.rng = random.Random(seed)
        self.types = types
        self.cluster = cluster
        self.mail = mail
        self.hands = Hands(cluster, mail)
        self.leader = Leader(cluster, mail)
        self.batch = Batch(complete=types["complete"], success=types["success"], death=types["death"])
        self.batch._make()
        self.accepted: list[str] = []
        self.held: list[Entry] = []
        self.letters: list[Entry] = []
        self.runs: Counter[str] = Counter()
        self.sent_back: Counter[str] = Counter()
        self.replays = 0
        self.succeeded: set[str] = set()
        self.callbacks: list[str] = []

    def add(self) -> None:
        """Push some; the producer dies before it pushes, before it clears, before it notes, or not at all."""
        stop = self.rng.choice(["_deliver", "_tick_off", "_note", ""])
        handle = Batch.open(self.batch.bid)
        if stop:
            setattr(handle._members, stop, lambda some: [])
        calls = [(number,) for number in range(self.rng.randint(1, 40))]
        self.accepted += handle.push_many(self.types["send"], calls)

    def take(self) -> None:
        for entry in self.hands.take():
            self.held.append(entry)
            self.runs[entry.jid] += 1
            if entry.type != "shop.send" and self.runs[entry.jid] == 1:
                self.callbacks.append(entry.type)

    def end(self) -> None:
        self.rng.shuffle(self.held)
        for _ in range(min(len(self.held), self.rng.randint(1, 30))):
            self.finish(self.held.pop(), self.rng.choice(ENDS))

    def finish(self, entry: Entry, how: str) -> None:
        self.hands.end(entry, how)
        if how == "succeeded":
            self.succeeded.add(entry.jid)
        if how == "dead":
            self.letters.append(entry)

    def lead(self) -> None:
        """The leader does a part, delivers and clears nothing, or dies: another one begins with nothing."""
        what = self.rng.choice(["step", "work", "deliver", "die"])
        if what == "work":
            self.leader.work()
        elif what == "die":
            self.leader = Leader(self.cluster, self.mail)
        elif what == "step":
            for place in self.mail:
                self.leader.walks.attend(outbox.box_of(place))
            self.leader.walks.step()
        else:
            found = effects(self.cluster, *[outbox.box_of(place) for place in self.mail], box_of(self.batch))
            some = self.rng.sample(found, self.rng.randint(0, len(found)))
            list(self.leader.marks.deliver([one for one in some if one.prefix == b"b"]))
            list(self.leader.parcels.deliver([one for one in some if one.prefix == b"j"]))

    def send_back(self) -> None:
        if self.letters:
            entry = self.letters.pop(self.rng.randrange(len(self.letters)))
            assert dead.retry(self.cluster, entry.partition, [dead.Letter(entry.jid, entry.state)]) == 1
            self.sent_back[entry.jid] += 1

    def ended(self, how: str = "") -> Counter[str]:
        """The members in the logs, or those that ended so."""
        found: Counter[str] = Counter()
        for place in self.mail:
            for _, row in self.cluster.run(Command(place.slot, ("XRANGE", place.log, "-", "+"))):
                fields = dict(zip(row[::2], row[1::2], strict=True))
                if fields[b"t"] == b"shop.send" and how in ("", fields[b"h"].decode()):
                    found[fields[b"j"].decode()] += 1
        return found

    def rewind(self) -> None:
        """What has ended runs again."""
        self.replays += 1
        before = self.ended()
        for place in self.mail:
            choice = Choice(0, 1 << 45, type="shop.send")
            self.cluster.run(replay.replay_command(place, f"run{self.replays}", choice))
        self.sent_back.update(before - self.ended())

    def skip(self) -> None:
        """What waits ends unrun."""
        self.replays += 1
        before = self.ended("skipped")
        for place in self.mail:
            for stream in range(replay.PARKED + 1):
                words = (place, stream, f"run{self.replays}", 1 << 45)
                self.cluster.run(replay.skip_command(*words, type="shop.send"))
        self.sent_back.subtract(self.ended("skipped") - before)

    def cancel(self) -> None:
        """One that waits is not wanted any more."""
        jid = self.rng.choice(self.accepted)
        for place in self.mail:
            found = find.find(self.cluster, place, jid)
            if found is not None and found.state is JobState.READY:
                word = cancel.cancel(self.cluster, place, jid, stream=found.stream, id=found.id)
                assert word is cancel.Cancel.CANCELLED
                self.sent_back[jid] -= 1

    def settle_all(self) -> None:
        """Everything under way ends well, until nothing is left to do."""
        for _ in range(20):
            self.take()
            if not self.held:
                self.leader = Leader(self.cluster, self.mail)
                self.leader.work()
                self.take()
                if not self.held:
                    return
            while self.held:
                self.finish(self.held.pop(), "succeeded")
        raise AssertionError("there is always something left")


@pytest.mark.parametrize("seed", range(6))
def test_whatever_dies_members_count_once_and_callbacks_come_once(
    seed: int, types: dict[str, Any], cluster: Cluster, mail: tuple[Partition, ...]
) -> None:
    walk = Walk(seed, types, cluster, mail)
    walk.add()
    steps = [walk.add, walk.take, walk.end, walk.lead, walk.send_back]
    if seed % 2:
        steps += [walk.rewind, walk.skip, walk.cancel]
        for place in mail:
            retaining(cluster, place)
    for _ in range(60):
        walk.rng.choice(steps)()
    walk.batch.commit()
    walk.settle_all()
    members = set(walk.accepted)
    assert len(members) == len(walk.accepted)
    assert {jid: walk.runs[jid] for jid in members} == {jid: 1 + walk.sent_back[jid] for jid in members}
    status = walk.batch.status()
    assert (status.total, status.pending) == (len(members), 0)
    assert status.succeeded == len(walk.succeeded & members)
    expected = ["shop.complete"] + (["shop.success"] if status.failed == 0 else [])
    assert [name for name in walk.callbacks if name != "shop.death"] == expected
    assert walk.callbacks.count("shop.death") == (status.death != "waiting")
