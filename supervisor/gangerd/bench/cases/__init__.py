"""The cases: one module each, with a function `measure` that answers its figures. Loaded when they are
played."""

CASES = {
    "throughput": "Jobs a second: no-op, 1 ms, 1 ms and 1 s mixed; beside a bare claim-and-settle loop.",
    "push": "Pushing one by one, a hundred a call, and in bulk.",
    "latency": "From a push to the handler's first line: idle, at half load, beside jobs of 1 s.",
    "idle": "CPU of all processes while nothing happens, four workers, one queue.",
    "memory": "Memory of all processes: one worker more, four with pandas, 200 of an app of 100 MB.",
    "recovery": "From a worker's death to the next job in its place.",
    "options": "What each option of a job or queue costs, as a ratio to plain.",
    "spread": "Throughput with 1, 2 and 3 shards, 1 to 16 partitions, 100 queues.",
    "depth": "What claiming a job costs with 1,000 to 5,000,000 waiting, or a million scheduled.",
    "crowd": "64 workers with jobs that sleep for 100 ms.",
    "permits": "Semaphores: acquire and release, alone and with 50 contenders, one server and three.",
    "profile": "Where a microsecond goes, in the worker and in the server.",
}
