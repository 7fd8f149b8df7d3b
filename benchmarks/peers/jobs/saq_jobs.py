"""SAQ: a queue, functions, and the settings that its command reads."""

import asyncio
import os

import handlers
from saq import Queue

queue = Queue.from_url(os.environ["PEERS_URL"], name="peers")


async def noop(context: object) -> None:
    handlers.noop()


async def stamp(context: object, *, pushed_ns: int) -> None:
    handlers.stamp(pushed_ns)


async def act(context: object, *, kind: str, number: int, pushed_ns: int) -> None:
    handlers.began(number, pushed_ns)
    handlers.harm(kind)
    await asyncio.sleep(0.005)
    handlers.ended(number)


settings = {"queue": queue, "functions": [noop, stamp, act], "concurrency": 10}

NAMES = {"noop": (), "stamp": ("pushed_ns",), "act": ("kind", "number", "pushed_ns")}


async def push(kind: str, *args: object) -> str:
    named = dict(zip(NAMES[kind], args, strict=True))
    more = {"timeout": 3, "retries": 3, "retry_delay": 1.0} if kind == "act" else {}
    job = await queue.enqueue(kind, ttl=-1, **more, **named)
    return job.id if job else ""


async def failures() -> list[str]:
    found = []
    async for job in queue.iter_jobs():
        if job.error:
            found.append(f"{job.id} {job.kwargs} {job.status} {job.error}")
    return found
