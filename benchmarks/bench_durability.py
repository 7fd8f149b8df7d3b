"""What each level of durability costs, and what a failover and a death of all servers take with each.

    .venv/bin/python benchmarks/bench_durability.py [ROUNDS]

Three primaries and three replicas on this machine (tests/chaos/servers.py), killed with SIGKILL under pushes
by four threads; each round, every jid whose push returned is looked for afterwards. Prints the tables of
docs/guarantees.md. Minutes.
"""

import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))


from chaos.servers import JobServers, restart
from ganger.client import Client
from ganger.cluster import Command
from ganger.config import EngineConfig
from ganger.durability import LEVELS
from ganger.errors import GangerError, OutcomeUnknown
from ganger.options import Options
from ganger.push_options import PushOptions
from support.waiting import until

THREADS = 4
BEFORE_S = 0.7
AT_ONCE = 20
"""Jobs in each push under which servers are killed."""
CUT_S = 0.15
OPTIONS = Options(queue="bench")


def pushing(
    servers: JobServers, level: str, stop: threading.Event, at_once: int = 1
) -> tuple[list[threading.Thread], set[str], list[int]]:
    """Threads that push without end: the jobs that are in, and how many pushes were unknown or refused."""
    acked: set[str] = set()
    failed = [0, 0]

    def push() -> None:
        client = Client(EngineConfig(servers.settings()), durability=level)
        while not stop.is_set():
            try:
                acked.update(client.send("bench.job", OPTIONS, PushOptions(), [([1], {})] * at_once))
            except OutcomeUnknown:
                failed[0] += 1
            except GangerError:
                failed[1] += 1
        client.close()

    threads = [threading.Thread(target=push) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    return threads, acked, failed


def present(servers: JobServers) -> set[str]:
    """The jids that the cluster has."""
    client = Client(EngineConfig(servers.settings()))
    found: set[str] = set()
    for place in client.pusher.places("bench"):
        start = "-"
        while rows := client.cluster.run(
            Command(place.slot, ("XRANGE", place.ready[4], start, "+", "COUNT", 5000))
        ):
            found |= {row[1][1].decode() for row in rows}
            start = f"({rows[-1][0].decode()}"
    client.close()
    return found


def flush(servers: JobServers) -> None:
    for ident in servers.primaries():
        servers.nodes[ident].call("FLUSHALL")


def failover(servers: JobServers, level: str, *, cut: bool = False) -> tuple[int, int]:
    """(acknowledged, lost) of one primary killed under pushes; `cut`: CUT_S after its link to its replica
    broke."""
    flush(servers)
    stop = threading.Event()
    threads, acked, _ = pushing(servers, level, stop, AT_ONCE)
    time.sleep(BEFORE_S)
    victim = servers.primaries()[int(time.monotonic() * 1000) % 3]
    replica = servers.nodes[servers.replicas(victim)[0]]
    if cut:
        # Stopped, or it would be back at once.
        replica.signal(signal.SIGSTOP)
        servers.nodes[victim].call("CLIENT", "KILL", "TYPE", "replica")
        time.sleep(CUT_S)
    servers.nodes[victim].signal(signal.SIGKILL)
    replica.signal(signal.SIGCONT)
    until(lambda: len([p for p in servers.primaries() if p != victim]) == 3, "a failover", 30)
    time.sleep(0.3)
    stop.set()
    for thread in threads:
        thread.join()
    lost = len(acked - present(servers))
    restart(servers.nodes[victim])
    servers.wait_whole()
    return len(acked), lost


def blackout(servers: JobServers, level: str) -> tuple[int, int]:
    """The same of all six killed at once, and started again from their files."""
    flush(servers)
    stop = threading.Event()
    threads, acked, _ = pushing(servers, level, stop, AT_ONCE)
    time.sleep(BEFORE_S)
    for server in servers.nodes.values():
        assert server.process is not None
        server.process.send_signal(signal.SIGKILL)
    stop.set()
    for server in servers.nodes.values():
        assert server.process is not None
        server.process.wait()
    for thread in threads:
        thread.join()
    for server in servers.nodes.values():
        restart(server)
    servers.wait_whole()
    return len(acked), len(acked - present(servers))


def cost(servers: JobServers, level: str, seconds: float) -> str:
    """A row: p50 and p99 of a single push, jobs a second by four threads, p50 of 500 jobs at once."""
    flush(servers)
    client = Client(EngineConfig(servers.settings()), durability=level)

    def timed(call: Callable[[], object]) -> list[float]:
        took: list[float] = []
        end = time.perf_counter() + seconds
        while time.perf_counter() < end or len(took) < 3:
            began = time.perf_counter()
            call()
            took.append((time.perf_counter() - began) * 1000)
        return sorted(took)

    client.send("bench.job", OPTIONS, PushOptions(), [([1], {})])
    one = timed(lambda: client.send("bench.job", OPTIONS, PushOptions(), [([1], {})]))
    many = timed(lambda: client.send("bench.job", OPTIONS, PushOptions(), [([1], {})] * 500))
    stop = threading.Event()
    threads, acked, _ = pushing(servers, level, stop)
    time.sleep(seconds)
    stop.set()
    for thread in threads:
        thread.join()
    client.close()
    middle, late = one[len(one) // 2], one[min(len(one) - 1, len(one) * 99 // 100)]
    bulk = many[len(many) // 2]
    rate = len(acked) / seconds
    return f"{middle:.2f} ms | {late:.2f} ms | {rate:,.0f} | {bulk:.1f} ms | {500_000 / bulk:,.0f}"


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 12
    for policy in ("everysec", "always"):
        options = ("--appendfsync", policy, "--cluster-require-full-coverage", "no")
        with JobServers(options=options) as servers:
            print(
                f"\n| appendfsync {policy} | p50 | p99 | jobs/s by {THREADS} threads | 500 at once | jobs/s |"
            )
            print("|---|---|---|---|---|---|")
            for level in LEVELS:
                print(f"| `{level}` | {cost(servers, level, 4.0)} |", flush=True)
            harms: list[tuple[str, Callable[[JobServers, str], tuple[int, int]], int]] = [
                ("all six", blackout, max(2, rounds // 3))
            ]
            if policy == "everysec":
                cut = partial(failover, cut=True)
                harms = [("a primary", failover, rounds), ("a primary, cut off", cut, rounds // 2), *harms]
            print(
                f"\n| appendfsync {policy} | killed | acknowledged | lost | rounds with loss | most in one |"
            )
            print("|---|---|---|---|---|---|")
            for name, harm, times in harms:
                for level in LEVELS:
                    runs = [harm(servers, level) for _ in range(times)]
                    acked, lost = sum(run[0] for run in runs), sum(run[1] for run in runs)
                    bad, most = sum(run[1] > 0 for run in runs), max(run[1] for run in runs)
                    row = f"{name}, {times} times | {acked:,} | {lost:,} | {bad} | {most:,}"
                    print(f"| `{level}` | {row} |", flush=True)


if __name__ == "__main__":
    main()
