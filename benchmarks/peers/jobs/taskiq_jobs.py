"""taskiq: a broker on Redis streams and its tasks."""

import asyncio
import os

import handlers
from taskiq import SimpleRetryMiddleware
from taskiq_redis import RedisStreamBroker

broker = RedisStreamBroker(url=os.environ["PEERS_URL"], queue_name="peers").with_middlewares(
    SimpleRetryMiddleware(default_retry_count=3)
)


@broker.task
async def noop() -> None:
    handlers.noop()


@broker.task
async def stamp(pushed_ns: int) -> None:
    handlers.stamp(pushed_ns)


@broker.task(timeout=3, retry_on_error=True, max_retries=3)
async def act(kind: str, number: int, pushed_ns: int) -> None:
    handlers.began(number, pushed_ns)
    handlers.harm(kind)
    await asyncio.sleep(0.005)
    handlers.ended(number)


TASKS = {"noop": noop, "stamp": stamp, "act": act}


async def connect() -> None:
    await broker.startup()


async def push(kind: str, *args: object) -> str:
    return str((await TASKS[kind].kiq(*args)).task_id)


def failures() -> list[str]:
    """Without a result backend its log is all there is."""
    return []
