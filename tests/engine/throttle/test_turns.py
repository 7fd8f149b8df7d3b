"""Waiting for a permit over several processes: woken in turn, hardly asking meanwhile. Each `Throttles`
stands for a process: it has connections and a name of its own."""

import os
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ganger.errors import LimitMismatch, LimitMismatchWarning
from ganger.keys import SemaphoreKeys
from ganger.throttle import waiting
from ganger.throttle.block import semaphore
from ganger.throttle.default import Throttles
from ganger.throttle.holders import Holder
from ganger.throttle.listener import Listener
from ganger.throttle.semaphore import Permit, Semaphore
from ganger.throttle.servers import Servers
from support.children import child, readable
from support.throttles import ThrottleServers
from support.waiting import until

Process = Callable[[], Throttles]


@pytest.fixture
def process(throttle_servers: ThrottleServers) -> Iterator[Process]:
    made: list[Throttles] = []

    def make() -> Throttles:
        made.append(Throttles(Servers(throttle_servers.urls, answer_s=2.0), "ganger"))
        return made[-1]

    yield make
    for each in made:
        each.servers.close()


@pytest.fixture
def keys(request: pytest.FixtureRequest) -> SemaphoreKeys:
    """A listener stays for a while, so each test has a name of its own."""
    return SemaphoreKeys("ganger", request.node.originalname)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Who has asked for a permit."""
    found: list[str] = []
    attempt = Semaphore.attempt

    def counted(self: Semaphore, *args: Any) -> Any:
        found.append(self.servers.asker)
        return attempt(self, *args)

    monkeypatch.setattr(Semaphore, "attempt", counted)
    return found


def never_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits is woken, or waits for ever."""
    monkeypatch.setattr(waiting._Patience, "pause_s", lambda self, refused, heard: 60.0)


class Contender:
    """A process that wants the permit, takes it, and gives it back when told."""

    def __init__(self, throttles: Throttles, keys: SemaphoreKeys, got: list["Contender"]) -> None:
        self.asker, self._got = throttles.servers.asker, got
        self._block = semaphore(keys.name, limit=1, throttles=throttles)
        self.leave = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        with self._block:
            self._got.append(self)
            self.leave.wait(30)


def noted(servers: ThrottleServers, keys: SemaphoreKeys) -> set[str]:
    found = [each.server.call("HKEYS", keys.waiting) for each in servers.all]
    return {asker.decode() for each in found for asker in each}


def listed(servers: ThrottleServers, keys: SemaphoreKeys) -> int:
    """On how many lists of the semaphore's channel, over all servers."""
    return sum(int(each.server.call("PUBSUB", "NUMSUB", keys.waiting)[1]) for each in servers.all)


def test_processes_get_it_in_the_order_in_which_they_came(
    process: Process, keys: SemaphoreKeys, throttle_servers: ThrottleServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    never_looks(monkeypatch)
    got: list[Contender] = []
    all_of_them: list[Contender] = []
    for number in range(4):
        one = Contender(process(), keys, got)
        all_of_them.append(one)
        if number == 0:
            until(lambda: len(got) == 1, "the first has it")
        else:
            until(lambda one=one: one.asker in noted(throttle_servers, keys), "it is noted")  # type: ignore[misc]
            until(lambda number=number: listed(throttle_servers, keys) == 3 * number, "it is heard")  # type: ignore[misc]
    for number, one in enumerate(all_of_them):
        until(lambda number=number: len(got) == number + 1, "the next has it")  # type: ignore[misc]
        one.leave.set()
        one.thread.join()
    assert got == all_of_them


def test_who_waits_hardly_asks(
    process: Process, keys: SemaphoreKeys, throttle_servers: ThrottleServers, asked: list[str]
) -> None:
    got: list[Contender] = []
    first = Contender(process(), keys, got)
    until(lambda: len(got) == 1, "the first has it")
    second = Contender(process(), keys, got)
    until(lambda: listed(throttle_servers, keys) == 3, "it is heard")
    asked.clear()
    began_s = time.monotonic()
    until(lambda: time.monotonic() > began_s + 1.5, "it has waited")
    # Without being heard it would be 13 a second and more.
    assert asked.count(second.asker) <= 8 + 2 * (time.monotonic() - began_s)
    first.leave.set()
    second.leave.set()
    first.thread.join()
    second.thread.join()
    assert got == [first, second]


def test_the_next_one_looks_when_the_first_does_not_come(
    process: Process, keys: SemaphoreKeys, throttle_servers: ThrottleServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    never_looks(monkeypatch)
    got: list[Contender] = []
    first = Contender(process(), keys, got)
    until(lambda: len(got) == 1, "the first has it")
    second = Contender(process(), keys, got)
    until(lambda: listed(throttle_servers, keys) == 3 and bool(noted(throttle_servers, keys)), "it is heard")
    for each in throttle_servers.all:
        if each.server.client.exists(keys.waiting):  # one that has waited for longer, and is dead
            each.server.client.hset(keys.waiting, "dead", "1|9000000000000")
    first.leave.set()
    until(lambda: len(got) == 2, "the second has it")
    second.leave.set()
    second.thread.join()
    first.thread.join()


def test_a_listener_hears_anew_after_its_connection_was_lost(
    process: Process, keys: SemaphoreKeys, throttle_servers: ThrottleServers
) -> None:
    throttles = process()
    listener = Listener(throttles.servers)
    heard = threading.Event()

    def wake(channel: bytes) -> None:
        heard.set()

    until(lambda: listener.listen(keys.waiting, wake), "it is heard")
    for each in throttle_servers.all:
        each.server.call("CLIENT", "KILL", "TYPE", "pubsub")
    until(
        lambda: listener.listen(keys.waiting, wake) and listed(throttle_servers, keys) == 3,
        "it is heard again",
    )
    throttle_servers.one.call("PUBLISH", keys.waiting, f"x {throttles.servers.asker} 1")
    assert heard.wait(10)
    heard.clear()
    for strange in (b"", b"\xff", b"x y 1", f"x {throttles.servers.asker} soon".encode()):
        throttle_servers.one.call("PUBLISH", keys.waiting, strange)
    throttle_servers.one.call("PUBLISH", keys.waiting, f"{throttles.servers.asker}  1")
    assert heard.wait(10)


def test_a_forked_child_waits_under_a_name_of_its_own(
    process: Process, keys: SemaphoreKeys, throttle_servers: ThrottleServers
) -> None:
    throttles = process()
    asker = throttles.servers.asker
    with semaphore(keys.name, limit=1, throttles=throttles):
        listener = throttles.turnstile(keys.name)._listener
        until(lambda: listener.listen(keys.waiting, print), "the parent is heard")
        ready, told = os.pipe()

        def waits() -> None:
            os.write(told, throttles.servers.asker.encode())
            with semaphore(keys.name, limit=1, throttles=throttles):
                os.write(told, b"!")

        with child(waits):
            assert readable(ready)
            other = os.read(ready, 16).decode()
            assert other != asker
            until(lambda: other in noted(throttle_servers, keys), "the child is noted")


def test_another_limit_under_one_name_is_told_once(process: Process, keys: SemaphoreKeys) -> None:
    one, other = process(), process()
    wide = semaphore(keys.name, limit=5, throttles=one)
    narrow = semaphore(keys.name, limit=3, throttles=other)
    with wide, pytest.warns(LimitMismatchWarning, match="here its limit is 3, somebody else's is 5"), narrow:
        pass
    with warnings.catch_warnings(record=True) as told, wide, narrow:
        pass
    assert [str(one.message) for one in told if "its limit is 3" in str(one.message)] == []


def test_a_warning_that_is_an_error_leaves_no_permit_behind(
    process: Process, keys: SemaphoreKeys, throttle_servers: ThrottleServers
) -> None:
    one, other = process(), process()
    with semaphore(keys.name, limit=5, throttles=one):
        with pytest.raises(LimitMismatchWarning), pytest.MonkeyPatch.context() as patch:
            patch.setattr("warnings.warn", _raised)
            semaphore(keys.name, limit=3, throttles=other).__enter__()
        assert throttle_servers.one.client.zcard(keys.taken) == 1


def _raised(said: str, kind: type[Warning], stacklevel: int) -> None:
    raise kind(said)


def test_limits_that_can_not_be_counted_together_are_refused(process: Process, keys: SemaphoreKeys) -> None:
    one, other = process(), process()
    with (
        semaphore(keys.name, limit=3, throttles=one),
        pytest.raises(LimitMismatch, match="in use with a limit of 3, so nothing is"),
    ):
        semaphore(keys.name, limit=100, wait=5, throttles=other).__enter__()
    permit = Semaphore(other.servers, "ganger", keys.name, 100).attempt(Holder("h", "p"))
    assert isinstance(permit, Permit)
    with pytest.raises(LimitMismatch), semaphore(keys.name, limit=3, throttles=one):
        pass
