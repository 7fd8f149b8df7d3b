"""Which limits hold for the jobs of a lane, and which jobs wait in lanes at all. Pure: rules in, rules out.

A limit on a type holds in every queue, a limit by key for each value by itself: its permits have the name of
the limit and the key behind it, so that a thousand tenants are a thousand semaphores. limits.py and warden.py
call.
"""

from collections.abc import Callable, Iterable, Mapping

from ganger.operations.lanes import Lane, Mark, key_tag, lane_id
from gangerd.config import Limit
from gangerd.passes import Track

EVERY_TYPE = "*"


def marks(lane_rules: Mapping[str, Limit]) -> list[Mark]:
    """The types whose jobs wait in lanes, in the order of their names; every type where one of the queue's
    own limits is by key."""
    found: dict[str, str] = {}
    for limit in lane_rules.values():
        kind = limit.type or EVERY_TYPE
        found[kind] = found.get(kind, "") or limit.limit_key
    if found.get(EVERY_TYPE):
        return [Mark(EVERY_TYPE, True, found[EVERY_TYPE])]
    return [Mark(kind, bool(path), path) for kind, path in sorted(found.items())]


def paths(lane_rules: Mapping[str, Limit]) -> dict[str, str]:
    """Type, or EVERY_TYPE for all others, -> the argument that tells its jobs apart."""
    return {limit.type or EVERY_TYPE: limit.limit_key for limit in lane_rules.values() if limit.limit_key}


def serves(lane_rules: Mapping[str, Limit]) -> Callable[[Track], bool]:
    """Which lanes a host with these rules may serve: of types, and by the argument, that they name."""
    tags = {
        digest(mark.type): int(key_tag(mark.path), 16) if mark.keyed else None for mark in marks(lane_rules)
    }
    every = digest(EVERY_TYPE)

    def is_ours(track: Track) -> bool:
        if track.kind not in tags and every not in tags:
            return False
        tag = tags[track.kind if track.kind in tags else every]
        return track.key == 0 if tag is None else track.key >> 48 == tag

    return is_ours


def track_of(place: int, lane: Lane) -> Track:
    """A lane as a pass names it. `place`: its partition, an index of the board."""
    return Track(place, int(lane.id, 16), digest(lane.type), int(lane.key or "0", 16))


def digest(type: str) -> int:
    """A type as a pass names it."""
    return int(lane_id(type, ""), 16)


def rules_of(
    rules: Mapping[str, Limit], lane_rules: Mapping[str, Limit], track: Track | None
) -> dict[str, Limit]:
    """What a job needs permits of, by the name of the semaphore's limit: those of its queue, and for a lane
    those on its type and its key."""
    if track is None:
        return dict(rules)
    return {**rules, **dict(_of_lane(lane_rules.items(), track))}


def _of_lane(lane_rules: Iterable[tuple[str, Limit]], track: Track) -> Iterable[tuple[str, Limit]]:
    for name, limit in lane_rules:
        if not limit.type or digest(limit.type) == track.kind:
            yield (f"{name}:{track.key:016x}" if limit.limit_key else name), limit
