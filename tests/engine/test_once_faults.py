"""once() on a node that falls silent at each of its two calls: what was sent runs twice, the block once."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from ganger import Client, once
from ganger.command import Command
from ganger.config import EngineConfig
from ganger.keys import OnceMark
from support.servers import ClusterServers, wait_until

KEY = next(key for key in map(str, range(1000)) if OnceMark("ganger", key).slot < 5000)
SLOT = OnceMark("ganger", KEY).slot


@contextmanager
def silent_until_noticed(servers: ClusterServers, client: Client) -> Iterator[Callable[[], None]]:
    """Gives a function that stops the key's node; it goes on as soon as a call to it has timed out."""
    threads: list[threading.Thread] = []

    def go_on() -> None:
        try:
            wait_until(lambda: client.cluster.is_down(SLOT))
        finally:
            servers.resume(0)

    def stop() -> None:
        servers.pause(0)
        threads.append(threading.Thread(target=go_on))
        threads[-1].start()

    yield stop
    for thread in threads:
        thread.join()
    for node in servers.nodes:
        wait_until(lambda node=node: servers.state(node) == "ok")  # type: ignore[misc]


@pytest.mark.parametrize("call", ["begin", "end"])
def test_a_call_without_a_reply_is_repeated_and_the_block_runs_once(
    rough_servers: ClusterServers, call: str
) -> None:
    client = Client(EngineConfig(rough_servers.settings(socket_timeout_s=0.3)))
    client.cluster.run(Command(SLOT, ("PING",)))
    calls: list[int] = []
    with silent_until_noticed(rough_servers, client) as stop:

        def charge() -> str:
            calls.append(1)
            if call == "end":
                stop()
            return "paid"

        if call == "begin":
            stop()
        assert once(KEY, 60, charge, client=client) == "paid"
    assert once(KEY, 60, charge, client=client) == "paid"
    assert calls == [1]
    client.close()
