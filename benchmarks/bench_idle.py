"""Idle: the CPU of the whole tree over 20 s with four workers, and push-to-start latency while they sleep."""

import argparse
import time
from pathlib import Path

from stage import cpu_by_title, percentile, report, stage, wait_for


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pushes", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with stage() as here, here.supervisor("apps.noop", given.workers) as master:
        from apps.noop import began

        latencies_ms = latency(here.directory / "began", began, given.pushes)
        time.sleep(2)
        before, servers = cpu_by_title(master), here.cpu_of_servers()
        time.sleep(given.seconds)
        after, servers = cpu_by_title(master), here.cpu_of_servers() - servers
    figures: dict[str, object] = {
        "push to start, p50 ms": percentile(latencies_ms, 0.5),
        "push to start, p90 ms": percentile(latencies_ms, 0.9),
        "push to start, p99 ms": percentile(latencies_ms, 0.99),
    }
    roles: dict[str, float] = {}
    for pid, (role, cpu) in after.items():
        roles[role] = roles.get(role, 0.0) + cpu - before.get(pid, (role, cpu))[1]
    figures |= {f"{role}, % of a core": cpu * 100 / given.seconds for role, cpu in sorted(roles.items())}
    figures["the whole tree, % of a core"] = sum(roles.values()) * 100 / given.seconds
    figures["servers, % of a core"] = servers * 100 / given.seconds
    report(f"idle, {given.workers} workers", figures)


def latency(path: Path, began: object, pushes: int) -> list[float]:
    """Milliseconds from before the push to the first line of the handler, one job at a time."""
    for number in range(pushes):
        began.push(str(path), time.monotonic_ns())  # type: ignore[attr-defined]
        wait_for(lambda n=number: path.exists() and path.read_text().count("\n") > n, 10, "a job", 0.002)  # type: ignore[misc]
        time.sleep(0.005)  # so that the worker sleeps again
    return [int(line.split()[0]) / 1e6 for line in path.read_text().splitlines()]


if __name__ == "__main__":
    main()
