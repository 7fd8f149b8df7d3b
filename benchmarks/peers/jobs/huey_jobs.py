"""Huey: the instance and its tasks."""

import os

import handlers
from huey import RedisHuey

huey = RedisHuey("peers", url=os.environ["PEERS_URL"], results=False)


@huey.task()
def noop() -> None:
    handlers.noop()


@huey.task()
def stamp(pushed_ns: int) -> None:
    handlers.stamp(pushed_ns)


@huey.task(retries=2, retry_delay=1, timeout=3)
def act(kind: str, number: int, pushed_ns: int) -> None:
    handlers.act(kind, number, pushed_ns)


TASKS = {"noop": noop, "stamp": stamp, "act": act}


def push(kind: str, *args: object) -> str:
    task = TASKS[kind].s(*args)
    huey.enqueue(task)
    return str(task.id)


def failures() -> list[str]:
    """With results off its log is all there is."""
    return []
