"""The producer of a Python system: reads one command a line as JSON, pushes, answers with a line.

`produce.py MODULE`: that module of this folder has `push(kind, *args)`, `push_many(kind, list of args)` or
None, and `failures()`, what the system's own data say of jobs that failed. In an asyncio system they are
coroutines. produce.js and produce.rb answer to the same commands. The runner (pushing.py) is the only one
who asks.
"""

import asyncio
import importlib
import inspect
import json
import random
import sys
import time
from pathlib import Path

from handlers import PLACE

CHUNK = 1000


async def done(value: object) -> object:
    return await value if inspect.isawaitable(value) else value


class Producer:
    def __init__(self, module: str) -> None:
        self.system = importlib.import_module(module)
        self.push = self.system.push
        self.push_many = getattr(self.system, "push_many", None)
        self.chunk = getattr(self.system, "CHUNK", CHUNK)

    async def run(self) -> None:
        await done(getattr(self.system, "connect", lambda: None)())
        print(json.dumps({"ready": True, "bulk": self.push_many is not None}), flush=True)
        while line := sys.stdin.readline():
            command = json.loads(line)
            began_s, cpu_s = time.perf_counter(), time.process_time()
            answer = await getattr(self, command.pop("op"))(**command) or {}
            answer |= {"s": time.perf_counter() - began_s, "cpu_s": time.process_time() - cpu_s}
            print(json.dumps(answer), flush=True)

    async def single(self, count: int) -> None:
        push, is_async = self.push, inspect.iscoroutinefunction(self.push)
        for _ in range(count):
            if is_async:
                await push("noop")
            else:
                push("noop")

    async def bulk(self, count: int) -> None:
        for from_ in range(0, count, self.chunk):
            await done(self.push_many("noop", [()] * min(self.chunk, count - from_)))

    async def idle(self, count: int) -> None:
        """One at a time, each when the one before has begun and its worker sleeps again."""
        starts = Path(PLACE, "starts")
        for number in range(1, count + 1):
            await done(self.push("stamp", time.monotonic_ns()))
            deadline_s = time.monotonic() + 10
            while lines(starts) < number and time.monotonic() < deadline_s:
                time.sleep(0.001)
            time.sleep(0.005 + random.random() * 0.005)

    async def paced(self, rate: float, seconds: float) -> dict[str, object]:
        """Even pace: every 5 ms what is due by then, in bulk where the system has that."""
        began_s, pushed = time.monotonic(), 0
        while (passed_s := time.monotonic() - began_s) < seconds:
            due = int(rate * passed_s) - pushed
            if due > 1 and self.push_many:
                await done(self.push_many("stamp", [(time.monotonic_ns(),)] * min(due, self.chunk)))
                pushed += min(due, self.chunk)
            elif due > 0:
                await done(self.push("stamp", time.monotonic_ns()))
                pushed += 1
            else:
                await asyncio.sleep(min(0.005, max(0.0005, 1 / rate)))
        return {"pushed": pushed}

    async def act(self, jobs: list[list[object]]) -> dict[str, object]:
        ids = [await done(self.push("act", kind, number, time.monotonic_ns())) for kind, number in jobs]
        return {"ids": [str(each) for each in ids]}

    async def failures(self) -> dict[str, object]:
        return {"records": await done(self.system.failures())}


def lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


if __name__ == "__main__":
    asyncio.run(Producer(sys.argv[1]).run())
