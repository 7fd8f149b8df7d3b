"""Sorting: which lane a job of a type that is limited by key belongs into. Only a worker knows: it has the
handler's signature, and the key of arguments that are encrypted.

Reads what waits unsorted in a partition, a chunk at a time, and has the script put each job into its lane.
The worker loop calls, after a claim that says so.

Crash points. Between the reading and the moving: they wait unsorted, and the next claim there says so again.
Two workers sort the same ones: the second finds them gone from there.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ganger.actor import registered
from ganger.cluster import Cluster
from ganger.job import Body, read_body
from ganger.keys import Partition
from ganger.operations import lanes
from ganger.sealing import open_body

CHUNK = 64
MOST_CHUNKS = 8
"""In one go, while the jobs of the last claim wait to be performed."""
DEADLINE_S = 1.0
_ABSENT = object()


class Sorter:
    """For one worker."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def sort(self, partition: Partition, paths: Mapping[str, str]) -> int:
        """`paths`: type, or * for all others, -> the argument that is the key. Jobs of types that it
        does not name wait for a host that knows theirs. How many are sorted now. Raises GangerError."""
        count = 0
        for _ in range(MOST_CHUNKS):
            reply = self._cluster.run(lanes.unsorted_command(partition, CHUNK), deadline_s=DEADLINE_S)
            found = lanes.parse_unsorted(reply, partition)
            if not found:
                break
            keys = [(job, key_of(job.type, job.body, paths)) for job in found]
            moves = [(job.id, job.type, key) for job, key in keys if key]
            if not moves:
                break
            reply = self._cluster.run(lanes.sort_command(partition, moves), deadline_s=DEADLINE_S)
            count += lanes.parse_sort(reply, partition)
            if len(found) < CHUNK:
                break
        return count


def key_of(type: str, data: bytes, paths: Mapping[str, str]) -> str:
    """The key of a job's lane, "" where `paths` does not say. One whose body can't be read has none: it fails
    as its attempt, with a cause."""
    path = paths.get(type, paths.get("*", ""))
    if not path:
        return ""
    actor = registered().get(type)
    names = actor.signature.names if actor is not None else ()
    try:
        value = value_at(open_body(type, read_body(data)[1]), path, names)
    except Exception:
        return lanes.no_key(path)
    return lanes.no_key(path) if value is _ABSENT else lanes.key_digest(path, value)


def value_at(body: Body, path: str, names: Sequence[str]) -> Any:
    """What `args.tenant` (by its name, however it was passed), `args.0` or `args.order.customer` stands for.
    `names`: of the handler's positional parameters."""
    _, first, *rest = path.split(".")
    value: Any = _ABSENT
    if first.isdigit():
        value = body.args[int(first)] if int(first) < len(body.args) else _ABSENT
    elif first in body.kwargs:
        value = body.kwargs[first]
    elif first in names and names.index(first) < len(body.args):
        value = body.args[names.index(first)]
    for step in rest:
        if isinstance(value, Mapping):
            value = value.get(step, _ABSENT)
        elif isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            return _ABSENT
    return value
