"""The walk of crashes while the partition's slot moves: each step meets a slot that is half moved."""

import threading
from collections.abc import Callable, Iterable, Iterator
from random import Random
from typing import Any

import pytest

from support.crash_walk import CrashWalk
from support.crashing import CrashingCluster
from support.keyspace import MAIL, opened
from support.servers import ClusterServers


class MovingWalk(CrashWalk):
    """Half of the steps begin when some keys are at their new node and some at the old one; the others follow
    while the step waits."""

    moves = 0

    def act(self, call: Callable[[], Any], moves: dict[str, Iterable[str]]) -> None:
        if self.rng.random() < 0.5:
            super().act(call, moves)
            return
        servers, slot = self.servers, MAIL.slot
        source = servers.owner(slot, 0)
        assert source is not None
        target = (source + 1) % servers.primaries
        servers.begin_move(slot, source, target)
        keys = servers.nodes[source].call("CLUSTER GETKEYSINSLOT", slot, 1000)
        servers.move_keys(source, target, *self.rng.sample(keys, self.rng.randint(0, len(keys))) or keys[:1])
        rest = threading.Thread(target=self._finish, args=(source, target))

        def begin() -> None:
            rest.start()
            call()

        done: list[bool] = []

        def once() -> None:
            """The rest of the slot follows meanwhile; whatever comes of the call, reading begins after it."""
            try:
                call() if done else begin()
            finally:
                done.append(True)
                rest.join()

        super().act(once, moves)
        self.moves += 1

    def _finish(self, source: int, target: int) -> None:
        servers, slot = self.servers, MAIL.slot
        while keys := servers.nodes[source].call("CLUSTER GETKEYSINSLOT", slot, 5):
            servers.move_keys(source, target, *keys)
        servers.end_move(slot, target)


@pytest.fixture
def crashing(moving_servers: ClusterServers) -> Iterator[CrashingCluster]:
    transport = CrashingCluster(moving_servers.settings())
    yield transport
    transport.close()
    moving_servers.flush()
    owner = moving_servers.owner(MAIL.slot, 0)
    home = moving_servers.index_of(MAIL.slot)
    if owner is not None and owner != home:
        moving_servers.move_slot(MAIL.slot, owner, home)


@pytest.mark.parametrize("seed", range(1))
def test_a_slot_that_moves_loses_nothing_and_doubles_nothing(
    crashing: CrashingCluster, moving_servers: ClusterServers, seed: int
) -> None:
    opened(crashing)
    walk = MovingWalk(crashing, moving_servers, Random(seed), rate=0.2)
    if seed % 2 == 0:
        walk.retain()
    names = []
    for _ in range(50):
        try:
            names.append(walk.step())
            walk.check()
        except AssertionError as error:
            raise AssertionError(f"seed {seed}, after {names}: {error}") from error
    assert walk.moves > 8
