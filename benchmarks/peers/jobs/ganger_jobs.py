"""ganger: the app and how its jobs are pushed. `ganger crashes --json` answers for failures
(drivers/ganger.py)."""

import handlers

from ganger import job


@job(name="peers.noop", queue="peers")
def noop() -> None:
    handlers.noop()


@job(name="peers.stamp", queue="peers")
def stamp(pushed_ns: int) -> None:
    handlers.stamp(pushed_ns)


@job(name="peers.act", queue="peers", timeout=3, grace=1, retry=2, backoff=1)
def act(kind: str, number: int, pushed_ns: int) -> None:
    handlers.act(kind, number, pushed_ns)


TASKS = {"noop": noop, "stamp": stamp, "act": act}


def push(kind: str, *args: object) -> str:
    return str(TASKS[kind].push(*args))


def push_many(kind: str, jobs: list[tuple[object, ...]]) -> None:
    TASKS[kind].push_many(jobs)


def failures() -> list[str]:
    return []
