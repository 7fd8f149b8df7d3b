"""Each story is told once in peace, then with each fault at each of its commands; it must end well each time.

How many commands a story sends is found out by telling it, so the cases are made and not written down. A
part of them is told here, drawn from a seed that a failure names; GANGER_FAULTS=<seed> draws the same once
more, and GANGER_FAULTS=all tells them all (docs/proof.md).
"""

import os
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from random import Random

import pytest

from ganger.cluster import Cluster
from ganger.scripts import script
from support.fault_proxy import FaultProxy
from support.faults import Fault
from support.servers import ClusterServers
from support.sources import scripts
from support.stage import AT_THE_END, Case, Stage
from support.stories import STORIES
from support.throttles import ThrottleServers

KINDS = [(fault, 0) for fault in Fault] + [(Fault.REQUEST_LATE, late) for late in (1, 2, AT_THE_END)]
CHOICE = os.environ.get("GANGER_FAULTS") or str(Random().randrange(10_000))
MOST = 16
"""Of a story's cases, unless all are told."""
WRITING = {path.stem for path in scripts() if b"no-writes" not in script(path.stem).source.split(b"\n")[0]}
Tell = Callable[[str, Case | None], Stage]


@pytest.fixture(scope="module")
def tell() -> Iterator[Tell]:
    """Two primaries, each with a replica for WAIT, and three servers for semaphores, all behind one proxy."""
    throttles, servers = (
        ThrottleServers("valkey"),
        ClusterServers("valkey", primaries=2, replicas=1, password="x"),
    )
    with servers, throttles:
        proxy, behind = FaultProxy(), [*servers.nodes, *(one.server for one in throttles.all)]
        for server in behind:
            proxy.lay(server.port)
        ready: list[bool] = []

        def told(name: str, case: Case | None) -> Stage:
            servers.flush()
            throttles.flush()
            stage = Stage(servers, throttles, Cluster(servers.settings()), proxy, case)
            if not ready:
                stage.load_scripts()
                ready.append(True)
            try:
                STORIES[name](stage)
            finally:
                proxy.deliver()
                stage.close()
            return stage

        yield told
        proxy.close()


struck: Counter[tuple[str, Fault, int]] = Counter()
"""How often each script or command has met each fault."""


def pair(sent: list[str], case: Case) -> tuple[str, Fault, int]:
    return sent[case.at], case.fault, case.late


def cases(sent: list[str], name: str) -> Iterator[Case]:
    """All, or some drawn at random among those whose command has met its fault least often, writers first."""
    every = [Case(fault, at, late) for fault, late in KINDS for at in range(len(sent))]
    Random(f"{CHOICE} {name}").shuffle(every)
    for _ in range(len(every) if CHOICE == "all" else min(MOST, len(every))):
        chosen = min(every, key=lambda case: (struck[pair(sent, case)], sent[case.at] not in WRITING))
        every.remove(chosen)
        struck[pair(sent, chosen)] += 1
        yield chosen


def befall(name: str, tell: Tell, case: Case) -> None:
    """On a busy machine a server for semaphores may seem to be away, and is then sent less."""
    for _ in range(3):
        if tell(name, case).proxy.taken:
            return
    raise AssertionError("the command never came")


@pytest.mark.parametrize("name", STORIES)
def test_a_story_ends_well(name: str, tell: Tell) -> None:
    sent = list(tell(name, None).proxy.sent)
    failures = []
    for case in cases(sent, name):
        try:
            befall(name, tell, case)
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            said = f"{type(error).__name__} {str(error).partition(chr(10))[0]}"
            failures.append(f"{case}, {sent[case.at]}: {said} ({where.name}, line {where.lineno})")
    assert not failures, f"GANGER_FAULTS={CHOICE}: {len(failures)} failed\n" + "\n".join(failures)


def test_every_script_that_writes_is_in_a_story(tell: Tell) -> None:
    sent = {word for name in STORIES for word in tell(name, None).proxy.sent}
    print("\nstruck, each fault by itself:", *(fault.name.lower() for fault, _ in KINDS))
    for word in sorted(sent):
        print(f"{word:20}", *(f"{struck[word, fault, late]:4}" for fault, late in KINDS))
    assert sent >= WRITING, f"in no story: {sorted(WRITING - sent)}"
    assert sent >= {"WAIT", "INFO REPLICATION"}, "no write is fenced by whose history it went into"
