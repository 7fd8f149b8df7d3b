"""Writes what dirt.py draws into a real server, as far as that takes it."""

import contextlib
from typing import Any

from ganger.cluster import Command
from ganger.errors import GangerError
from ganger.keys import BatchKeys
from support.dirt import BID, KEYS
from support.worker_bench import Bench


def soil(bench: Bench, what: list[tuple[str, Any]]) -> None:
    """Write it, as far as the server takes it."""
    part, cluster = bench.partition, bench.cluster

    def put(slot: int, *words: Any) -> None:
        with contextlib.suppress(GangerError):
            cluster.run(Command(slot, words))

    for where, how in what:
        match where:
            case "ready" | "returned" | "parked" | "log":
                stream, id, fields = how
                key = part.streams[stream] if where == "ready" else getattr(part, where)
                put(part.slot, "XADD", key, id, *fields)
            case "later" | "dead":
                jid, score, record = how
                put(part.slot, "ZADD", getattr(part, where), score, jid)
                if record is not None:
                    for bucket in part.jobs:
                        put(part.slot, "HSET", bucket, jid, record)
            case "memo" | "locks" | "tracks" | "outbox" | "crons" | "meta":
                put(part.slot, "HSET", getattr(part, where), *how)
            case "crash":
                put(KEYS.slot, "ZADD", KEYS.crashes, 1, how[0])
                put(KEYS.slot, "HSET", KEYS.crash_records, *how)
            case "leader":
                put(KEYS.slot, "SET", KEYS.leader, how[0])
            case "batches":
                put(KEYS.slot, "ZADD", KEYS.batches_live, how[1], how[0])
            case "head":
                batch = BatchKeys("ganger", BID)
                put(batch.slot, "HSET", batch.head, *how)
            case "control.crons":
                put(KEYS.slot, "HSET", KEYS.crons, *how)
            case _:
                put(KEYS.slot, "HSET", getattr(KEYS, where), *how)
    put(part.slot, "HSET", part.meta, "drained", "0")
