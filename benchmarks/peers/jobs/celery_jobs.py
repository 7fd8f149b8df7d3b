"""Celery: the app, its tasks, and how they are pushed."""

import os

import handlers
from celery import Celery

app = Celery("peers", broker=os.environ["PEERS_URL"])
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=os.environ.get("PEERS_VARIANT") == "reject",
    # What a dashboard shows of failures is in a result backend; only the crash run has one.
    task_ignore_result=not os.environ.get("PEERS_RESULTS"),
    result_backend=os.environ["PEERS_URL"] if os.environ.get("PEERS_RESULTS") else None,
    result_extended=True,
    # What its guide to optimizing says of many short tasks; its default, 4, where few are at stake.
    worker_prefetch_multiplier=int(os.environ.get("PEERS_PREFETCH", "64")),
    broker_connection_retry_on_startup=True,
)


@app.task
def noop() -> None:
    handlers.noop()


@app.task
def stamp(pushed_ns: int) -> None:
    handlers.stamp(pushed_ns)


@app.task(bind=True, time_limit=3, max_retries=2)
def act(self: object, kind: str, number: int, pushed_ns: int) -> None:
    handlers.act(kind, number, pushed_ns)


TASKS = {"noop": noop, "stamp": stamp, "act": act}


def push(kind: str, *args: object) -> str:
    return str(TASKS[kind].delay(*args).id)


def failures() -> list[str]:
    """What the result backend has of tasks that did not succeed."""
    client = app.backend.client
    told = [client.get(key).decode() for key in client.scan_iter("celery-task-meta-*")]
    return [each for each in told if '"SUCCESS"' not in each]
