"""The key book: one slot per partition, no name twice, bad names refused."""

import pytest

from ganger.errors import BadName, GangerError
from ganger.keys import Control, check_type, partitions
from ganger.slots import slot_of


def all_keys(queue: str, count: int = 12) -> list[bytes]:
    keys = []
    for part in partitions("ganger", queue, count):
        keys += [part.meta, part.memo, *part.streams, part.later, *part.jobs, part.dead, part.wake]
        keys += [*part.ends, part.parked, part.lanes, part.crons]
    return keys


def hash_tag(key: bytes) -> bytes:
    return key[key.index(b"{") + 1 : key.index(b"}")]


def test_all_keys_of_a_partition_share_its_slot() -> None:
    for part in partitions("ganger", "mail", 12):
        keys = [part.meta, part.memo, *part.streams, part.later, *part.jobs, part.dead, part.wake]
        keys += [*part.ends, part.parked, part.lanes, part.crons]
        assert {slot_of(hash_tag(key)) for key in keys} == {part.slot}
        assert len(set(keys)) == len(keys) == 39


def test_names_that_look_alike_share_no_key() -> None:
    names = ["a", "a/1", "a/1.2", "a.1", "a:1", "a/0.12.0"]
    keys = [key for name in names for key in all_keys(name)]
    assert len(set(keys)) == len(keys)


def test_streams_by_priority() -> None:
    part = partitions("ganger", "mail", 12)[3]
    assert part.streams[0] == part.returned
    assert part.streams[9] == part.ready[8] and part.streams[9].endswith(b":ready:9")
    assert part.meta == b"ganger:{" + part.tag.encode() + b"}:meta"


def test_partitions_are_made_once_and_compare_by_tag() -> None:
    assert partitions("ganger", "mail", 12) is partitions("ganger", "mail", 12)
    one, other = partitions("ganger", "mail", 12)[0], partitions("ganger", "post", 12)[0]
    assert one != other and len({one, other, partitions("ganger", "mail", 12)[0]}) == 2


def test_jobs_are_spread_over_the_buckets() -> None:
    part = partitions("ganger", "mail", 12)[0]
    digits = "0123456789abcdefghjkmnpqrstvwxyz"
    jids = [
        f"01jd0000{'p' * 13}{digits[n // 1024]}{digits[n // 32 % 32]}{digits[n % 32]}000" for n in range(9000)
    ]
    sizes = dict.fromkeys(part.jobs, 0)
    for jid in jids:
        sizes[part.jobs_bucket(jid)] += 1
        assert part.jobs_bucket(jid) == part.jobs_bucket(jid.encode())
    assert max(sizes.values()) < 3 * len(jids) / 16


def test_control_keys_share_a_slot() -> None:
    control = Control("shop")
    keys = [control.catalog, control.types, control.hosts, control.leader, control.crashes]
    keys += [control.crash_records, control.totals]
    assert {slot_of(hash_tag(key)) for key in keys} == {control.slot}
    assert len(set(keys)) == 7 and control.leader == b"shop:{control}:leader"


@pytest.mark.parametrize("name", ["", "a{b", "a}", "a b", "ü", "a\n", "x" * 65])
def test_bad_names_are_refused(name: str) -> None:
    with pytest.raises(BadName, match=r"queue"):
        partitions("ganger", name, 12)
    with pytest.raises(BadName, match=r"namespace"):
        Control(name)
    with pytest.raises(GangerError):
        check_type(name if len(name) < 65 else "x" * 121)


def test_the_longest_names_pass() -> None:
    assert check_type("x" * 120) and partitions("ganger", "q" * 64, 1)
