"""The measurements of one system: throughput, pushing, load, idleness, memory. run.py decides their order.

Each takes a fresh place on the system's server, and returns figures by name; what could not be measured is
left out.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from crew import Crew, Place, running_ns, wait_for
from drivers.driver import Driver
from pushing import Producer
from servers import Server

Figures = dict[str, float]

WORKERS, IDLE_WORKERS = 2, 4
FIRST, LAST = 0.05, 0.95
"""Measured between these shares of the jobs: the start and the tail are not the run."""
PATIENCE_S = 60


class NotDone(Exception):
    """The workers did not do what was pushed."""


class Bench:
    """Where places are made, on which servers, and how long the cases take (`scale` of their full
    length)."""

    def __init__(self, directory: Path, standalone: Server, cluster: Server, scale: float) -> None:
        self.directory, self.servers, self.scale = directory, {False: standalone, True: cluster}, scale
        self._places = 0

    @contextmanager
    def place(self, driver: Driver, imports: str = "") -> Iterator[tuple[Place, Producer]]:
        self._places += 1
        name = f"{self._places:03d}-{driver.name.lower()}"
        place = Place(self.directory / name, driver, self.servers[driver.cluster], imports=imports)
        producer = Producer(place)
        try:
            yield place, producer
        finally:
            producer.stop()

    @contextmanager
    def crew(self, place: Place, count: int) -> Iterator[Crew]:
        crew = Crew(place, count)
        try:
            yield crew
        finally:
            crew.stop()


def throughput(bench: Bench, driver: Driver, *, load: bool) -> Figures:
    """Everything pushed first, in bulk where there is that; then two workers start. With `load`, at its end
    the same workers get half of what they did, evenly."""
    jobs = max(200, int(driver.jobs * bench.scale))
    with bench.place(driver) as (place, producer):
        singles = min(jobs // 5, 20_000) if producer.bulk else jobs
        producer.ask("single", count=10)
        single = producer.ask("single", count=singles)
        figures = {"push_single": singles / single["s"]}
        if producer.bulk:
            bulk = producer.ask("bulk", count=jobs)
            figures |= {"push_bulk": jobs / bulk["s"], "push_bulk_us": bulk["cpu_s"] * 1e6 / jobs}
        with bench.crew(place, WORKERS) as crew:
            figures |= work_off(place, crew, 10 + singles + jobs * producer.bulk)
            if load:
                figures |= half_load(place, producer, figures["jobs_s"] / 2, 4 * bench.scale + 1)
    return figures


def work_off(place: Place, crew: Crew, total: int) -> Figures:
    def done(share: float) -> None:
        """Waits for that share, as long as anything is done in a minute."""
        wanted, last = total * share, place.tally()
        while last < wanted:
            if not wait_for(partial(moved, place, last), PATIENCE_S):
                raise NotDone(f"{last} of {total} jobs done; the rest was left")
            last = place.tally()

    done(FIRST)
    first, from_s = place.tally(), time.perf_counter()
    crew_s, server_s = crew.cpu_s(), place.server.cpu_s()
    done(LAST)
    last, took_s = place.tally(), time.perf_counter() - from_s
    crew_s, server_s = crew.cpu_s() - crew_s, place.server.cpu_s() - server_s
    done(1.0)
    measured = last - first
    return {
        "jobs_s": measured / took_s,
        "workers_us": crew_s * 1e6 / measured,
        "server_us": server_s * 1e6 / measured,
    }


def moved(place: Place, since: int) -> bool:
    return place.tally() > since


def half_load(place: Place, producer: Producer, rate: float, seconds: float) -> Figures:
    time.sleep(0.5)
    pushed = producer.ask("paced", rate=rate, seconds=seconds)
    wait_for(lambda: len(place.lines("starts")) >= pushed["pushed"], 10, 0.05)
    latencies = [int(line) / 1e6 for line in place.lines("starts")]
    if not latencies:
        raise NotDone("no job began under load")
    return {
        "load_asked": rate,
        "load_rate": pushed["pushed"] / pushed["s"],
        "load_p50_ms": percentile(latencies, 0.5),
        "load_p99_ms": percentile(latencies, 0.99),
    }


def idleness(bench: Bench, driver: Driver) -> Figures:
    """Four workers with nothing to do: what they cost, and how soon a push to them begins."""
    with bench.place(driver) as (place, producer), bench.crew(place, IDLE_WORKERS) as crew:
        warm_up(place, producer)
        producer.ask("idle", count=max(30, int(200 * bench.scale)))
        latencies = [int(line) / 1e6 for line in place.lines("starts")]
        if not latencies:
            raise NotDone("no job began")
        time.sleep(1)
        server = place.server.account.pid
        crew_ns, server_ns, from_s = crew.running_ns(), running_ns(server), time.perf_counter()
        time.sleep(max(3, 10 * bench.scale))
        crew_ns, server_ns = crew.running_ns() - crew_ns, running_ns(server) - server_ns
        seconds = time.perf_counter() - from_s
        return {
            "idle_p50_ms": percentile(latencies, 0.5),
            "idle_p99_ms": percentile(latencies, 0.99),
            "idle_cpu": crew_ns / 1e7 / seconds,
            "idle_server_cpu": server_ns / 1e7 / seconds,
            "processes": len(crew.processes()),
            "pss_mb": crew.pss_mb(),
        }


def memory(bench: Bench, driver: Driver, imports: str) -> Figures:
    """PSS of four idle workers whose handlers have imported something large, and of whatever runs beside
    them."""
    with bench.place(driver, imports) as (place, producer), bench.crew(place, IDLE_WORKERS) as crew:
        warm_up(place, producer)
        return {"pss_imports_mb": crew.pss_mb()}


def warm_up(place: Place, producer: Producer, jobs: int = 40) -> None:
    """Until some jobs are done and every worker had time to come up."""
    producer.ask("single", count=jobs)
    if not wait_for(lambda: place.tally() >= jobs, PATIENCE_S):
        raise NotDone(f"{place.tally()} of {jobs} jobs done")
    time.sleep(1.5)


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
