"""Permits: acquire plus release, with one server and with three, alone and with 50 contenders. `--seconds N`.

Contenders are 5 processes of 10 threads; within a process one at a time tries. The time of one that waits is
from its wish to its permit, so with 50 of them and a limit of 10 it is mostly the time of those ahead.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stage import percentile, report

from gangerd.embedded import binary, layout, wire
from gangerd.embedded.server import Server

PASSWORD = "bench"
LIMIT = 10


@contextmanager
def servers(count: int) -> Iterator[list[str]]:
    """Standalone servers as the embedded ones are, each vouched for."""
    import random

    from ganger.throttle.server_check import vouch

    ports = layout.free_ports(count, random.SystemRandom())
    with tempfile.TemporaryDirectory(prefix="ganger-bench-") as directory, Path("/dev/null").open() as lock:
        made = [
            Server(binary.find(), Path(directory) / str(port), port, PASSWORD, cluster=False)
            for port in ports
        ]
        try:
            for server in made:
                server.spawn(lock.fileno())
            for server in made:
                server.await_ready(time.monotonic() + 10)
                info = server.ask("INFO", "server")
                assert isinstance(info, bytes)
                run = next(line[7:] for line in info.decode().splitlines() if line.startswith("run_id:"))
                wire.ask(server.port, PASSWORD, vouch(run))
            yield [f"redis://:{PASSWORD}@127.0.0.1:{port}" for port in ports]
        finally:
            for server in made:
                server.tell_to_stop()
            for server in made:
                server.await_end(10)


def contend(urls: list[str], threads: int, seconds: float) -> tuple[list[float], int]:
    """(ms from wish to permit, of each permit; how many) of so many threads of this process."""
    from ganger import semaphore
    from ganger.throttle.default import Throttles
    from ganger.throttle.servers import Servers

    api = semaphore("api", LIMIT, throttles=Throttles(Servers(urls), "bench"))
    took_ms: list[float] = []
    until_s = time.monotonic() + seconds

    def work() -> None:
        while time.monotonic() < until_s:
            from_ns = time.perf_counter_ns()
            with api:
                took_ms.append((time.perf_counter_ns() - from_ns) / 1e6)

    running = [threading.Thread(target=work) for _ in range(threads)]
    for each in running:
        each.start()
    for each in running:
        each.join()
    return took_ms, len(took_ms)


def crowd(urls: list[str], seconds: float) -> tuple[list[float], float]:
    """The same of 5 processes; and how many permits a second."""
    command = [sys.executable, __file__, "--contender", json.dumps({"urls": urls, "seconds": seconds})]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(5)]
    took_ms: list[float] = []
    for process in processes:
        out, _ = process.communicate()
        took_ms += json.loads(out)
    return took_ms, len(took_ms) / seconds


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--contender")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    if given.contender:
        asked = json.loads(given.contender)
        print(json.dumps(contend(asked["urls"], 10, asked["seconds"])[0]))
        return
    figures: dict[str, Any] = {}
    for count in (1, 3):
        with servers(count) as urls:
            contend(urls, 1, 0.5)
            took_ms, permits = contend(urls, 1, given.seconds)
            name = f"{count} server{'s' if count > 1 else ''}"
            figures[f"{name}, alone: acquire + release a second"] = permits / given.seconds
            figures[f"{name}, alone: acquire, p50 ms"] = percentile(took_ms, 0.5)
            figures[f"{name}, alone: acquire, p99 ms"] = percentile(took_ms, 0.99)
            took_ms, rate = crowd(urls, given.seconds)
            figures[f"{name}, 50 contenders: permits a second"] = rate
            figures[f"{name}, 50 contenders: acquire, p50 ms"] = percentile(took_ms, 0.5)
            figures[f"{name}, 50 contenders: acquire, p99 ms"] = percentile(took_ms, 0.99)
    report(f"permits, limit {LIMIT}", figures)


if __name__ == "__main__":
    main()
