"""64 workers with jobs that sleep for 100 ms: how many run at a time, and what it costs."""

from gangerd.bench.apps import jobs
from gangerd.bench.case import Bench, Figure
from gangerd.bench.rounds import play

WORKERS = 64
_NAP_S = 0.1


def measure(bench: Bench) -> list[Figure]:
    count = WORKERS * bench.size(60, 15)
    with bench.stage() as stage:
        places = stage.queue("bench")
        with stage.supervisor("jobs", WORKERS) as host:
            stage.pushing()
            naps = [(_NAP_S,)] * WORKERS * 3
            play(
                stage, host, places, len(naps), lambda: jobs.nap.push_many(naps)
            )  # now its run time is known
            bench.tell(f"{count:,} jobs")
            seen = play(stage, host, places, count, lambda: jobs.nap.push_many([(_NAP_S,)] * count))
    running = seen.rate * _NAP_S
    # Of what each job cost, in us, to what all of them cost while they ran.
    per_cent = {role: used * seen.rate / 1e4 for role, used in seen.cpu_us.items()}
    return [
        Figure(
            "crowd.running",
            f"jobs running at a time, {WORKERS} workers",
            running,
            "jobs",
            running / WORKERS,
            "all",
        ),
        Figure("crowd.cpu", "CPU of everything", sum(per_cent.values()), "% of a core"),
        *(
            Figure(f"crowd.cpu.{role}", f"of it {role}", used, "% of a core")
            for role, used in sorted(per_cent.items())
        ),
        Figure("crowd.job", "CPU a job, everything", seen.all_cpu_us, "us"),
    ]
