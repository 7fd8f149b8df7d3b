"""Yardsticks: what the machine does without ganger.

The bare loop is one process and one script that settles and claims 16 or 64 jobs a trip: no supervisor, no
lease, no page. BRPOP is from before an LPUSH to the pop in a sleeping process."""

import os
import time
from collections.abc import Sequence

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.keys import Partition
from gangerd.bench.stage import Stage

_MINIMAL = """#!lua flags=allow-oom
if #ARGV > 2 then
  redis.call('XACK', KEYS[1], 'workers', unpack(ARGV, 3))
  redis.call('XDEL', KEYS[1], unpack(ARGV, 3))
end
return redis.call('XREADGROUP', 'GROUP', 'workers', ARGV[1], 'COUNT', ARGV[2], 'STREAMS', KEYS[1], '>')"""


def bare_rate(stage: Stage, places: Sequence[Partition], jobs: int, at_once: int) -> float:
    """Jobs a second of a bare loop over so many no-op jobs, in a queue that nobody serves."""
    stage.client.push_many("bench.noop", [()] * jobs, queue=places[0].queue)
    done, began_s = 0, time.perf_counter()
    for place in places:
        ids: list[bytes] = []
        while True:
            claiming = ("EVAL", _MINIMAL, 1, place.ready[4], "bare", at_once)
            reply = stage.cluster.run(Command(place.slot, (*claiming, *ids)))
            if not reply:
                break
            ids = [entry[0] for entry in reply[0][1]]
            done += len(ids)
    return done / (time.perf_counter() - began_s)


def brpop_ms(stage: Stage, pushes: int) -> list[float]:
    """From each LPUSH to the pop."""
    place = stage.queue("brpop", 1)[0]
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _pop(Cluster(stage.config.redis), place, writer)
    os.close(writer)
    for _ in range(pushes):
        time.sleep(0.01)
        stage.cluster.run(Command(place.slot, ("LPUSH", place.wake, time.monotonic_ns())))
    stage.cluster.run(Command(place.slot, ("LPUSH", place.wake, "end")))
    with os.fdopen(reader) as told:
        lines = told.read().split()
    os.waitpid(child, 0)
    return [int(line) / 1e6 for line in lines]


def _pop(cluster: Cluster, place: Partition, told: int) -> None:
    """In the child, which never returns."""
    try:
        lines = []
        while True:
            popped = cluster.run(Command(place.slot, ("BRPOP", place.wake, 1)))
            if popped is None:
                continue
            if popped[1] == b"end":
                break
            lines.append(str(time.monotonic_ns() - int(popped[1])))
        os.write(told, " ".join(lines).encode())
    finally:
        os._exit(0)
