"""RQ: functions and a queue."""

import os

import handlers
from redis import Redis
from rq import Queue, Retry
from rq.job import Job

connection = Redis.from_url(os.environ["PEERS_URL"])
queue = Queue("peers", connection=connection)

TASKS = {"noop": handlers.noop, "stamp": handlers.stamp, "act": handlers.act}
OPTIONS = {"result_ttl": 0, "job_timeout": 180}


def push(kind: str, *args: object) -> str:
    if kind == "act":
        job = queue.enqueue(TASKS[kind], *args, result_ttl=0, job_timeout=3, retry=Retry(max=2))
    else:
        job = queue.enqueue(TASKS[kind], *args, result_ttl=0)
    return str(job.id)


def push_many(kind: str, jobs: list[tuple[object, ...]]) -> None:
    queue.enqueue_many([Queue.prepare_data(TASKS[kind], args, result_ttl=0) for args in jobs])


def failures() -> list[str]:
    found = []
    for jid in queue.failed_job_registry.get_job_ids():
        job = Job.fetch(jid, connection=connection)
        result = job.latest_result()
        found.append(f"{jid} {job.description} {result.exc_string if result else ''}")
    return found
