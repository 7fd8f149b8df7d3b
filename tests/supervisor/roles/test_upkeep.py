"""Housekeeping in steps: rounds take turns, and one that fails or is long holds up no other."""

from collections.abc import Callable, Iterator
from functools import partial

from ganger.cluster import Cluster, Command
from ganger.errors import NodeDown
from gangerd.roles.scheduler import upkeep
from gangerd.roles.scheduler.upkeep import Steps
from support.keyspace import MAIL, opened


def letters(text: str, heard: list[str]) -> Iterator[Callable[[], object]]:
    for letter in text:
        yield partial(heard.append, letter)


def test_rounds_take_turns_and_are_not_begun_twice() -> None:
    steps, heard = Steps(), list[str]()
    steps.start("small", letters("abc", heard))
    steps.start("large", letters("ABCDE", heard))
    assert steps.step()
    steps.start("small", letters("xyz", heard))
    while steps.step():
        pass
    assert "".join(heard) == "aAbBcCDE"
    steps.start("small", letters("xyz", heard))
    while steps.step():
        pass
    assert "".join(heard) == "aAbBcCDExyz"


def test_a_step_that_fails_ends_its_sweep_and_no_other(cluster: Cluster) -> None:
    """A node that goes away in the middle of a sweep is not asked again and again until it is back."""
    opened(cluster)
    rows = [word for number in range(1_000) for word in (f"c:{number:016x}", "1|1|")]
    cluster.run(Command(MAIL.slot, ("HSET", MAIL.memo, *rows)))
    steps = Steps()
    steps.start("sweep", upkeep.sweep(Silent(cluster, after=1), [MAIL]))  # type: ignore[arg-type]
    taken = 0
    while steps.step():
        taken += 1
        assert taken < 10, "it goes on for as long as the node is away"


class Silent:
    """A cluster whose nodes answer a few calls and then no more."""

    def __init__(self, cluster: Cluster, after: int) -> None:
        self._cluster = cluster
        self._left = after

    def run(self, command: Command, **given: object) -> object:
        self._left -= 1
        if self._left < 0:
            raise NodeDown("it is gone")
        return self._cluster.run(command, **given)  # type: ignore[arg-type]
