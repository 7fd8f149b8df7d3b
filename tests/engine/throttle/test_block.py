"""`with semaphore(...)`, in threads, coroutines and forked children; what becomes of a permit that is
lost."""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from ganger import NoPermit, PermitLost, QuorumLost, rate_limit, semaphore, testing
from ganger.errors import BadOptions
from ganger.throttle.block import SemaphoreBlock
from ganger.throttle.default import Throttles, set_default_throttles
from ganger.throttle.keeper import Keeper
from ganger.throttle.semaphore import Semaphore
from ganger.throttle.servers import Servers
from support.throttles import ThrottleServers
from support.waiting import until


@pytest.fixture
def throttles(throttle_servers: ThrottleServers) -> Iterator[Throttles]:
    made = Throttles(Servers(throttle_servers.urls, answer_s=2.0), "ganger")
    made.keeper = Keeper(made.servers, idle_s=0.05)
    set_default_throttles(made)
    yield made
    set_default_throttles(None)
    assert not made.keeper._permits, "a permit that is renewed for ever would be in the way of later tests"
    made.servers.close()


def held(throttles: Throttles, name: str = "api") -> int:
    return len(Semaphore(throttles.servers, "ganger", name, 1).inspect())


def shorten(block: SemaphoreBlock, ttl_ms: int) -> SemaphoreBlock:
    """With permits that live so long only."""
    made, _, throttles = block._ready()
    short = Semaphore(made.servers, "ganger", made.name, made.terms.limit, ttl_ms=ttl_ms)
    block._made = short, throttles
    return block


def test_a_block_has_a_permit_while_it_runs(throttles: Throttles) -> None:
    with semaphore("api", limit=1, note="nightly import") as permit:
        permit.check()
        assert permit.valid and 0 < permit.valid_for_s < 10
        (seat,) = Semaphore(throttles.servers, "ganger", "api", 1).inspect()
        assert seat.holder is not None
        assert (seat.holder.process, seat.holder.note) == (f"pid {os.getpid()}", "nightly import")
        with pytest.raises(NoPermit) as caught, semaphore("api", limit=1, wait=0):
            raise AssertionError("two in the block")
        assert caught.value.retry_in_s > 0
    assert held(throttles) == 0


def test_an_exception_gives_the_permit_back(throttles: Throttles) -> None:
    with pytest.raises(ZeroDivisionError), semaphore("api", limit=1):
        _ = 1 / 0
    assert held(throttles) == 0


def test_who_waits_gets_what_is_given_back_in_the_order_of_coming(throttles: Throttles) -> None:
    order: list[int] = []
    api = semaphore("api", limit=1)
    threads = []
    with api:
        for number in range(5):

            def wait(number: int = number) -> None:
                with api:
                    order.append(number)

            threads.append(threading.Thread(target=wait))
            threads[-1].start()
            until(lambda n=number: len(throttles.turnstile("api")._queue) == n + 1, "it waits")  # type: ignore[misc]
    for thread in threads:
        thread.join(30)
    assert order == [0, 1, 2, 3, 4]


def test_many_threads_never_exceed_the_limit(throttles: Throttles) -> None:
    inside, most, lock = 0, 0, threading.Lock()
    api = semaphore("api", limit=3)

    def work() -> None:
        nonlocal inside, most
        for _ in range(5):
            with api:
                with lock:
                    inside += 1
                    most = max(most, inside)
                with lock:
                    inside -= 1

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert 1 <= most <= 3 and held(throttles) == 0


def test_coroutines_wait_on_their_loop(throttles: Throttles) -> None:
    async def main() -> int:
        inside = most = 0
        api = semaphore("api", limit=2)

        async def work() -> None:
            nonlocal inside, most
            async with api as permit:
                permit.check()
                inside += 1
                most = max(most, inside)
                await asyncio.sleep(0)
                inside -= 1

        await asyncio.gather(*(work() for _ in range(30)))
        return most

    assert 1 <= asyncio.run(main()) <= 2
    assert held(throttles) == 0


def test_a_cancelled_wait_leaves_nothing_behind(throttles: Throttles) -> None:
    async def main() -> None:
        api = semaphore("api", limit=1)

        async def enter() -> None:
            async with api:
                raise AssertionError("two in the block")

        async with api:
            task = asyncio.create_task(enter())
            while not throttles.turnstile("api")._queue:
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        async with semaphore("api", limit=1, wait=10):
            pass

    asyncio.run(main())


def test_the_keeper_renews_and_ends_when_there_is_nothing_left_to_renew(throttles: Throttles) -> None:
    with shorten(semaphore("api", limit=1), 1500) as permit:
        assert permit.permit is not None
        first = permit.permit.holding.valid_until_ms()
        until(lambda: permit.permit.holding.valid_until_ms() > first + 1500, "it was renewed")  # type: ignore[union-attr]
        permit.check()
        thread = throttles.keeper._thread
        assert thread is not None and thread.is_alive()
    thread.join(10)
    assert not thread.is_alive() and throttles.keeper._thread is None


def test_a_permit_taken_away_is_told_within_the_block_and_at_its_end(throttles: Throttles) -> None:
    api = Semaphore(throttles.servers, "ganger", "api", 1)
    with (
        pytest.raises(PermitLost, match="taken away"),
        shorten(semaphore("api", limit=1), 1500) as permit,
    ):
        assert permit.permit is not None and api.force_release(permit.permit.token)
        until(lambda: not permit.valid, "the keeper has noticed")
        with pytest.raises(PermitLost):
            permit.check()


def test_the_error_of_a_block_is_told_with_the_loss_as_a_note(throttles: Throttles) -> None:
    with pytest.raises(ZeroDivisionError) as caught, semaphore("api", limit=1) as permit:
        assert permit.permit is not None
        permit.permit.holding.lost = True
        _ = 1 / 0
    assert "was lost while its block ran" in caught.value.__notes__[0]


def test_a_forked_child_has_no_part_in_its_parent_s_permit(throttles: Throttles) -> None:
    with semaphore("api", limit=1):
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                assert throttles.keeper._thread is None and not throttles.keeper._permits
                with pytest.raises(NoPermit), semaphore("api", limit=1, wait=0):
                    pass
                with semaphore("mail", limit=1):
                    code = 0
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert held(throttles) == 1


def test_a_child_does_not_wait_behind_its_parent_s_threads(throttles: Throttles) -> None:
    api = semaphore("api", limit=1)

    def wait() -> None:
        with api:
            pass

    reader, writer = os.pipe()
    with api:
        waiting = threading.Thread(target=wait)
        waiting.start()
        until(lambda: len(throttles.turnstile("api")._queue) == 1, "a thread of the parent waits")
        pid = os.fork()
        if pid == 0:
            os.write(writer, str(len(api._ready()[1]._queue)).encode())
            os._exit(0)
        os.waitpid(pid, 0)
    waiting.join(30)
    assert os.read(reader, 10) == b"0"
    os.close(reader)
    os.close(writer)


def test_a_block_made_before_its_servers_are_known_follows_the_settings(
    throttles: Throttles, throttle_servers: ThrottleServers
) -> None:
    set_default_throttles(None)
    api, mail = semaphore("api", limit=1), rate_limit("mail", "2/h")
    set_default_throttles(throttles)
    with api:
        mail.take()
    other = Throttles(Servers(throttle_servers.urls[:1], answer_s=2.0), "other")
    set_default_throttles(other)
    with api:
        assert held(throttles) == 0
        mail.take(2)
    other.servers.close()


def test_a_child_that_leaves_its_parent_s_block_gives_nothing_back(throttles: Throttles) -> None:
    with semaphore("api", limit=1) as permit:
        assert permit.permit is not None
        permit.permit.pid += 1
        permit.permit.semaphore.release(permit.permit)
        permit.permit.pid -= 1
        assert held(throttles) == 1 and permit.valid


def test_in_a_test_mode_no_server_is_asked() -> None:
    with testing.inline(), semaphore("api", limit=1) as permit, semaphore("api", limit=1):
        permit.check()
        assert permit.valid_for_s == float("inf")


def test_without_servers_the_wait_ends_with_what_is_wrong(throttle_servers: ThrottleServers) -> None:
    nowhere = Throttles(Servers(["redis://127.0.0.1:1"]), "ganger")
    with pytest.raises(QuorumLost, match="refused"), semaphore("api", 1, wait=0.1, throttles=nowhere):
        pass


@pytest.mark.parametrize("limit", [0, -1, True, "5"])
def test_a_limit_that_can_t_be(limit: int) -> None:
    with pytest.raises(BadOptions):
        semaphore("api", limit=limit)


def test_a_script_finds_its_servers_by_the_environment(throttle_servers: ThrottleServers) -> None:
    code = "from ganger import semaphore\nwith semaphore('api', limit=2, wait=30): print('in')"
    env = os.environ | {"GANGER_SEMAPHORES": ", ".join(throttle_servers.urls)}
    env.pop("GANGER_REDIS", None)
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "in\n"), done.stderr
