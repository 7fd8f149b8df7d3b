"""Memory of all processes of ganger, idle, each page counted by the share of those who have it (PSS)."""

import importlib.util
import time

from gangerd.bench.case import Bench, Figure
from gangerd.bench.stage import Host, Stage, wait_for
from gangerd.linux import accounts

_MB = 1e6


def measure(bench: Bench) -> list[Figure]:
    many = bench.size(200, 50)
    figures = []
    with bench.stage() as stage:
        bench.tell("one worker, and nine, of an app of 100 MB")
        one, nine = (_mb(stage, "big", workers) for workers in (1, 9))
        figures.append(Figure("memory.one", "an app of 100 MB, 1 worker", one["all"], "MB"))
        figures.append(Figure("memory.next", "each worker more", (nine["all"] - one["all"]) / 8, "MB"))
        bench.tell(f"{many} workers of an app of 100 MB")
        crowd = _mb(stage, "big", many)
        figures.append(Figure(f"memory.{many}", f"an app of 100 MB, {many} workers", crowd["all"], "MB"))
        if importlib.util.find_spec("pandas") is not None:
            bench.tell("4 workers with pandas")
            found = _mb(stage, "pandas_app", 4)
            figures.append(Figure("memory.pandas", "pandas imported, 4 workers", found.pop("all"), "MB"))
            figures += [
                Figure(f"memory.pandas.{role}", f"of it {role}", used, "MB") for role, used in found.items()
            ]
    return figures


def _mb(stage: Stage, app: str, workers: int) -> dict[str, float]:
    """By role, and of all together, when every worker has come to rest."""
    with stage.supervisor(app, workers) as host:
        wait_for(lambda: _born(host) >= workers, 60, f"{workers} workers", 0.1)
        time.sleep(2)
        found: dict[str, float] = {"all": 0.0}
        for pid in host.tree():
            role, used = accounts.role(pid), accounts.pss_bytes(pid) / _MB
            found[role] = found.get(role, 0.0) + used
            found["all"] += used
        return found


def _born(host: Host) -> int:
    return sum(accounts.role(pid) == "worker" for pid in host.tree()) - 1  # one stands by
