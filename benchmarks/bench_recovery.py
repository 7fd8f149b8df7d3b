"""An app of 100 MB that takes 2 s to import: how soon a killed worker is replaced, what one more costs."""

import argparse
import os
import time
from pathlib import Path

from stage import Stage, median, percentile, report, stage, wait_for


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--deaths", type=int, default=30)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with stage() as here, here.supervisor("apps.big", given.workers):
        os.environ["GANGER_REDIS"] = here.url
        from apps.noop import began, die

        replaced_ms = [replacement(here.directory, number, die, began) for number in range(given.deaths)]
    with stage() as here:
        one, nine = (memory_mb(here, workers) for workers in (1, 9))
    report(
        "recovery, an app of 100 MB with 2 s of imports",
        {
            "death to replaced worker running a job, p50 ms": median(replaced_ms),
            "death to replaced worker running a job, p90 ms": percentile(replaced_ms, 0.9),
            "PSS of the whole tree with one worker, MB": one,
            "PSS that one more worker adds, MB": (nine - one) / 8,
        },
    )


def replacement(directory: Path, number: int, die: object, began: object) -> float:
    """From the last line of a job that kills its worker to the first of a job in the worker's place."""
    dying, next_one = directory / f"dying-{number}", directory / f"next-{number}"
    die.push(str(dying))  # type: ignore[attr-defined]
    wait_for(dying.exists, 10, "a death", 0.0005)
    began.push(str(next_one), 0)  # type: ignore[attr-defined]
    wait_for(
        lambda: next_one.exists() and next_one.read_text().endswith("\n"), 10, "the job after a death", 0.001
    )
    died_ns = int(dying.read_text().split()[0])
    return (int(next_one.read_text().split()[0]) - died_ns) / 1e6


def memory_mb(here: Stage, workers: int) -> float:
    """Proportional set size of the supervisor and all below it, a second after the start."""
    with here.supervisor("apps.big", workers) as master:
        time.sleep(1)
        tree = [master, *master.children(recursive=True)]
        return sum(float(process.memory_full_info().pss) for process in tree) / 1e6


if __name__ == "__main__":
    main()
