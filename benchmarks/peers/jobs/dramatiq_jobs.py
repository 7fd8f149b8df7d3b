"""Dramatiq: the broker and its actors."""

import os

import dramatiq
import handlers
from dramatiq.brokers.redis import RedisBroker

broker = RedisBroker(url=os.environ["PEERS_URL"])
dramatiq.set_broker(broker)


@dramatiq.actor
def noop() -> None:
    handlers.noop()


@dramatiq.actor
def stamp(pushed_ns: int) -> None:
    handlers.stamp(pushed_ns)


@dramatiq.actor(time_limit=3000, max_retries=2, min_backoff=1000)
def act(kind: str, number: int, pushed_ns: int) -> None:
    handlers.act(kind, number, pushed_ns)


TASKS = {"noop": noop, "stamp": stamp, "act": act}


def push(kind: str, *args: object) -> str:
    return str(TASKS[kind].send(*args).message_id)


def failures() -> list[str]:
    dead = broker.client.hgetall("dramatiq:default.XQ.msgs")
    return [value.decode("utf8", "replace") for value in dead.values()]
