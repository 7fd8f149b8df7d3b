"""Permits of a semaphore with a limit of 10: acquire plus release, alone and with 50 contenders, on one
server and on three.

Contenders are 5 processes of 10 threads that want a permit all the time. The time of one that waits is from
its wish to its permit, so it is mostly the time of those ahead of it."""

import json
import os
import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ganger import semaphore
from ganger.throttle.default import Throttles
from ganger.throttle.server_check import vouch
from ganger.throttle.servers import Servers
from gangerd.bench.case import Bench, Figure, percentile
from gangerd.embedded import binary, layout, wire
from gangerd.embedded.server import START_S, Server

LIMIT = 10
_PASSWORD = "bench"


def measure(bench: Bench) -> list[Figure]:
    seconds = float(bench.size(4, 1))
    figures: list[Figure] = []
    with bench.stage() as stage:
        if not stage.servers:
            if stage.semaphores:
                figures += _measure(stage.directory, stage.semaphores, seconds, stage.namespace)
            return figures
        for count in (1, 3):
            bench.tell(f"{count} servers")
            with _servers(stage.directory, count) as urls:
                figures += _measure(stage.directory, urls, seconds, stage.namespace)
    return figures


def _measure(directory: Path, urls: Sequence[str], seconds: float, namespace: str) -> list[Figure]:
    many = len(urls)
    name = f"{many} server{'s' if many > 1 else ''}"
    _contend(urls, 1, 0.5, namespace)
    alone = _contend(urls, 1, seconds, namespace)
    crowd = _crowd(directory, urls, seconds, namespace)
    figures = []
    for key, which, took_ms in (("alone", "alone", alone), ("crowd", "50 contenders", crowd)):
        figures.append(
            Figure(f"permits.{many}.{key}", f"{name}, {which}: permits", len(took_ms) / seconds, "permits/s")
        )
        for share in (0.5, 0.99):
            label = f"{name}, {which}: wish to permit, p{share * 100:g}"
            figures.append(
                Figure(f"permits.{many}.{key}.p{share * 100:g}", label, percentile(took_ms, share), "ms")
            )
    return figures


def _contend(urls: Sequence[str], threads: int, seconds: float, namespace: str) -> list[float]:
    """ms from wish to permit, of each permit that this process got."""
    api = semaphore("bench", LIMIT, throttles=Throttles(Servers(urls), namespace))
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
    return took_ms


def _crowd(directory: Path, urls: Sequence[str], seconds: float, namespace: str) -> list[float]:
    """The same of 5 processes with 10 threads each."""
    children: dict[int, Path] = {}
    for number in range(5):
        path = directory / f"contender-{number}"
        child = os.fork()
        if child == 0:
            try:
                path.write_text(json.dumps(_contend(urls, 10, seconds, namespace)))
            finally:
                os._exit(0)
        children[child] = path
    took_ms: list[float] = []
    for child, path in children.items():
        os.waitpid(child, 0)
        took_ms += json.loads(path.read_bytes())
    return took_ms


@contextmanager
def _servers(directory: Path, count: int) -> Iterator[list[str]]:
    """Standalone servers as the embedded one is, each vouched for."""
    ports = layout.free_ports(count, random.SystemRandom())
    made = [Server(binary.find(), directory / str(port), port, _PASSWORD, cluster=False) for port in ports]
    nowhere = os.open(os.devnull, os.O_RDONLY)
    try:
        for server in made:
            server.spawn(nowhere)
        for server in made:
            server.await_ready(time.monotonic() + START_S)
            info = server.ask("INFO", "server")
            assert isinstance(info, bytes)
            run = next(line[7:] for line in info.decode().splitlines() if line.startswith("run_id:"))
            wire.ask(server.port, _PASSWORD, vouch(run))
        yield [f"redis://:{_PASSWORD}@127.0.0.1:{port}" for port in ports]
    finally:
        for server in made:
            server.tell_to_stop()
        for server in made:
            server.await_end(10)
        os.close(nowhere)
