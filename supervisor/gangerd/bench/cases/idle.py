"""The CPU of all processes with four workers, one queue, and nothing to do."""

import time

from gangerd.bench.case import Bench, Figure

WORKERS = 4


def measure(bench: Bench) -> list[Figure]:
    lasting_s = bench.size(20, 5)
    with bench.stage() as stage, stage.supervisor("jobs", WORKERS, queues=["bench"]) as host:
        time.sleep(3)  # what a start has left to do is over
        bench.tell(f"watching for {lasting_s} s")
        before, servers_s = host.cpu(), stage.servers_cpu_s()
        began_s = time.monotonic()
        time.sleep(lasting_s)
        after, servers_s = host.cpu(), stage.servers_cpu_s() - servers_s
        lasted_s = time.monotonic() - began_s
    roles: dict[str, float] = {}
    for pid, (role, cpu_s) in after.items():
        spent = (cpu_s - before.get(pid, (role, 0.0))[1]) * 100 / lasted_s
        roles[role] = roles.get(role, 0.0) + spent
    figures = [Figure("idle.tree", "all processes of ganger", sum(roles.values()), "% of a core")]
    figures += [
        Figure(f"idle.{role}", f"{role}", used, "% of a core") for role, used in sorted(roles.items())
    ]
    if stage.servers:
        figures.append(Figure("idle.servers", "servers", servers_s * 100 / lasted_s, "% of a core"))
    return figures
