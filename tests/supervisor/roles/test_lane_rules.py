"""Which limits hold for a lane, which types wait in lanes, and by which argument: tables."""

import pytest

from ganger.operations.lanes import Mark
from gangerd.board import Limiting, Line
from gangerd.config import Limit
from gangerd.passes import Track
from gangerd.roles.coordinator.lane_rules import digest, marks, paths, rules_of, types
from gangerd.roles.coordinator.limits import limited_queues, limiting

QUEUE = Limit(queue="mail", concurrency=9)
TYPE = Limit(type="shop.send", concurrency=2)
RATE = Limit(type="shop.pay", rate="5/s")
BY_TENANT = Limit(queue="mail", concurrency=1, limit_key="args.tenant")
TYPE_BY_TENANT = Limit(type="shop.send", concurrency=3, limit_key="args.tenant")


@pytest.mark.parametrize(
    ("rules", "marked", "by", "served"),
    [
        ({}, [], {}, frozenset()),
        ({"a": TYPE}, [Mark("shop.send", False)], {}, {"shop.send"}),
        (
            {"b": RATE, "a": TYPE},
            [Mark("shop.pay", False), Mark("shop.send", False)],
            {},
            {"shop.pay", "shop.send"},
        ),
        (
            {"a": TYPE, "b": TYPE_BY_TENANT},
            [Mark("shop.send", True)],
            {"shop.send": "args.tenant"},
            {"shop.send"},
        ),
        ({"a": TYPE, "b": BY_TENANT}, [Mark("*", True)], {"*": "args.tenant"}, None),
    ],
)
def test_who_waits_in_lanes_and_by_what(
    rules: dict[str, Limit], marked: list[Mark], by: dict[str, str], served: frozenset[str] | None
) -> None:
    assert marks(rules) == marked and paths(rules) == by and types(rules) == served


def test_a_lane_is_under_the_limits_of_its_queue_its_type_and_its_key() -> None:
    lanes = {"type": TYPE, "pay": RATE, "tenant": BY_TENANT, "both": TYPE_BY_TENANT}
    track = Track(3, 77, digest("shop.send"), 0xAB)
    assert rules_of({"all": QUEUE}, lanes, None) == {"all": QUEUE}
    key = "00000000000000ab"
    assert rules_of({"all": QUEUE}, lanes, track) == {
        "all": QUEUE,
        "type": TYPE,
        f"tenant:{key}": BY_TENANT,
        f"both:{key}": TYPE_BY_TENANT,
    }
    other = Track(3, 78, digest("shop.none"), 0)
    assert set(rules_of({}, lanes, other)) == {"tenant:0000000000000000"}


def test_the_board_says_who_needs_passes_who_has_lanes_and_by_which_argument() -> None:
    limits = {"all": QUEUE, "type": TYPE, "tenant": BY_TENANT}
    assert limiting("mail", limits) == Limiting(True, True, {"*": "args.tenant"})
    assert limiting("other", limits) == Limiting(False, True, {})
    assert limiting("other", {"all": QUEUE}) is None
    found = limited_queues([Line("other", 4, 1), Line("mail", 2, 1)], limits)
    assert (found[0].rules, set(found[0].lane_rules)) == ({}, {"type"})
    assert (set(found[1].rules), set(found[1].lane_rules)) == ({"all"}, {"type", "tenant"})
