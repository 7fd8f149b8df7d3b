"""What becomes of a command sent over lines that are cut: a process of its own, as these take the network
away from whoever lays them. `python -m chaos.lines_lab` prints as JSON what it saw;
test_network.py judges.

A host is this file with a port: it sends the commands that it reads and prints "ok" or the error's name.
"""

import json
import subprocess
import sys
import time
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from chaos import network
from support.servers import Standalone

TIMEOUT_S = 0.5


class Host:
    """A process on a host, with one connection."""

    def __init__(self, lines: network.Network, host: int, port: int) -> None:
        words = [*lines.prefix(host), sys.executable, "-m", "chaos.lines_lab", str(port)]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def says(self, *words: str) -> str:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps(words) + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()


def speak(port: int) -> None:
    """Be a host."""
    client: redis.Redis[bytes] = redis.Redis(  # type: ignore[type-arg, unused-ignore]
        host=network.Namespaces.address,
        port=port,
        retry=Retry(NoBackoff(), 0),
        socket_timeout=TIMEOUT_S,
        socket_connect_timeout=TIMEOUT_S,
    )
    for line in sys.stdin:
        try:
            client.execute_command(*json.loads(line))  # type: ignore[no-untyped-call]
            print("ok", flush=True)
        except redis.RedisError as error:
            print(type(error).__name__, flush=True)


def watch() -> dict[str, Any]:
    """Every fault in turn, on host 0; host 1 looks on."""
    lines = network.lay(2)
    with Standalone(host=lines.address) as one:
        server = one.server
        struck, other = (Host(lines, host, server.port) for host in (0, 1))
        seen: dict[str, Any] = {"before": [struck.says("INCR", "cut"), other.says("INCR", "cut")]}

        def count(key: str) -> int:
            return int(server.client.get(key) or 0)

        lines.cut(0)
        seen["cut"] = [struck.says("INCR", "cut"), other.says("INCR", "cut"), count("cut")]
        lines.mend(0)
        seen["mended"] = struck.says("INCR", "mended")

        lines.deafen(0)
        seen["deaf"] = [struck.says("INCR", "deaf"), count("deaf"), other.says("INCR", "deaf")]
        lines.mend(0)
        seen["mended"] = [seen["mended"], struck.says("PING")]

        seen["fast_s"] = _burst_s(struck)
        lines.slow(0, 1000)
        seen["slow_s"] = _burst_s(struck)
        lines.mend(0)
        seen["after"] = struck.says("PING")
        for host in (struck, other):
            host.process.kill()
            host.process.wait()
    lines.close()
    return seen


def _burst_s(host: Host) -> float:
    begin = time.monotonic()
    for _ in range(10):
        host.says("SET", "some", "x" * 3000)
    return time.monotonic() - begin


if __name__ == "__main__":
    if len(sys.argv) > 1:
        speak(int(sys.argv[1]))
    else:
        print(json.dumps(watch()))
