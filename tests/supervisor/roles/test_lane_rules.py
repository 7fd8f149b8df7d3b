"""Which limits hold for a lane, which types wait in lanes, and by which argument: tables."""

import pytest

from ganger.operations.lanes import Lane, Mark, key_digest, no_key
from gangerd.board import Limiting, Line
from gangerd.config import Limit
from gangerd.passes import Track
from gangerd.roles.coordinator.lane_rules import digest, marks, paths, rules_of, serves, track_of
from gangerd.roles.coordinator.limits import limited_queues, limiting

QUEUE = Limit(queue="mail", concurrency=9)
TYPE = Limit(type="shop.send", concurrency=2)
RATE = Limit(type="shop.pay", rate="5/s")
BY_TENANT = Limit(queue="mail", concurrency=1, limit_key="args.tenant")
BY_TENANT_WORD = Mark("*", True, "args.tenant").word
TYPE_BY_TENANT = Limit(type="shop.send", concurrency=3, limit_key="args.tenant")


@pytest.mark.parametrize(
    ("rules", "marked", "by"),
    [
        ({}, [], {}),
        ({"a": TYPE}, [Mark("shop.send", False)], {}),
        (
            {"b": RATE, "a": TYPE},
            [Mark("shop.pay", False), Mark("shop.send", False)],
            {},
        ),
        (
            {"a": TYPE, "b": TYPE_BY_TENANT},
            [Mark("shop.send", True, "args.tenant")],
            {"shop.send": "args.tenant"},
        ),
        ({"a": TYPE, "b": BY_TENANT}, [Mark("*", True, "args.tenant")], {"*": "args.tenant"}),
    ],
)
def test_who_waits_in_lanes_and_by_what(
    rules: dict[str, Limit], marked: list[Mark], by: dict[str, str]
) -> None:
    assert marks(rules) == marked and paths(rules) == by


def test_a_host_serves_lanes_of_types_and_by_keys_that_its_own_rules_name() -> None:
    plain, keyless = Lane("1" * 16, "shop.send", "", 1, 5), no_key("args.tenant")
    tenant = plain._replace(key=key_digest("args.tenant", "acme"))
    customer, other = plain._replace(key=key_digest("args.customer", "acme")), plain._replace(type="shop.pay")
    every = [plain, tenant, plain._replace(key=keyless), customer, other, tenant._replace(type="shop.pay")]

    def served(**rules: Limit) -> list[Lane]:
        return [lane for lane in every if serves(rules)(track_of(0, lane))]

    assert served() == []
    assert served(a=TYPE) == [plain]
    assert served(a=TYPE, b=TYPE_BY_TENANT) == every[1:3]
    assert served(b=BY_TENANT) == [*every[1:3], every[5]]


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
    assert limiting("mail", limits) == Limiting(True, True, {"*": "args.tenant"}, BY_TENANT_WORD)
    assert limiting("other", limits) == Limiting(False, True, {}, "shop.send")
    assert limiting("other", {"all": QUEUE}) is None
    found = limited_queues([Line("other", 4, 1), Line("mail", 2, 1)], limits)
    assert (found[0].rules, set(found[0].lane_rules)) == ({}, {"type"})
    assert (set(found[1].rules), set(found[1].lane_rules)) == ({"all"}, {"type", "tenant"})
