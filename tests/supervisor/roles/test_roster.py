"""Whose turn it is among lanes, as a table: nothing but what was found and when somebody was served."""

import itertools

from ganger.operations.lanes import Lane
from gangerd.roles.coordinator.limited_queue import PAUSE_MS
from gangerd.roles.coordinator.roster import EACH_MS, FIRST_PAUSE_MS, Roster, Waiting

MS = 1_000_000
A, B, C = (Lane(digit * 16, "shop.send", digit * 16, 100 + place, 5) for place, digit in enumerate("abc"))


def order(roster: Roster, now_ms: int = 0, first: int = 0, count: int = 8) -> list[tuple[int, str]]:
    return [(one.place, one.lane.id[0]) for one in roster.next(first, count, now_ms * MS)]


def one(roster: Roster, lane: Lane) -> Waiting:
    return next(waiting for waiting in roster.next(0, 8, 1 << 60) if waiting.lane.id == lane.id)


def test_who_was_served_longest_ago_is_next_and_one_never_served_is_first() -> None:
    roster = Roster()
    roster.found(2, "", [A, B], "")
    assert order(roster) == [(2, "a"), (2, "b")]
    roster.served(one(roster, A))
    assert order(roster) == [(2, "b"), (2, "a")]
    roster.found(5, "", [C], "")
    roster.served(one(roster, B))
    assert order(roster) == [(5, "c"), (2, "a"), (2, "b")]
    assert order(roster, first=5, count=1) == [(5, "c")]
    assert (roster.waiting(0, 4), roster.waiting(4, 4), len(roster)) == (2, 1, 3)


def test_a_look_takes_away_what_it_did_not_find_within_what_it_covered() -> None:
    roster = Roster()
    roster.found(2, "", [A, B, C], "")
    roster.found(2, "", [A], A.id)  # a page that ends there
    assert len(roster) == 3
    roster.found(2, A.id, [C], "")
    assert order(roster) == [(2, "a"), (2, "c")]
    roster.found(3, "", [], "")
    assert len(roster) == 2
    roster.drained(2, A.id)  # a look has found it since: perhaps another job
    assert order(roster) == [(2, "a"), (2, "c")]
    roster.served(one(roster, A))
    roster.drained(2, A.id)
    roster.drained(2, A.id)
    assert order(roster) == [(2, "c")]


def test_a_lane_without_permits_is_passed_over_for_longer_and_longer_and_keeps_its_turn() -> None:
    roster = Roster()
    roster.found(0, "", [A, B], "")
    roster.put_off_longer(one(roster, A), 0, 1.0, PAUSE_MS)
    assert order(roster) == [(0, "b")]
    assert order(roster, int(FIRST_PAUSE_MS)) == [(0, "a"), (0, "b")]
    for _ in range(9):
        roster.put_off_longer(one(roster, A), 0, 1.0, PAUSE_MS)
    assert order(roster, int(PAUSE_MS) - 1) == [(0, "b")]
    assert order(roster, int(PAUSE_MS)) == [(0, "a"), (0, "b")]
    roster.freed(B.key)
    assert order(roster) == [(0, "b")]
    roster.freed(A.key)
    assert order(roster) == [(0, "a"), (0, "b")]


def test_the_more_lanes_are_full_the_less_often_each_is_asked_for() -> None:
    roster = Roster()
    many = [Lane(f"{n:016x}", "shop.send", f"{n:016x}", n, 5) for n in range(400)]
    roster.found(0, "", many, "")
    asked = [0] * 12
    for now_ms in range(0, 12_000, 5):
        for waiting in itertools.islice(roster.next(0, 8, now_ms * MS), 8):
            if waiting.lane.id == many[-1].id:
                roster.served(waiting)  # behind all that are full, and free
                break
            roster.put_off_longer(waiting, now_ms * MS, 1.0, PAUSE_MS)
            asked[now_ms // 1000] += 1
    assert asked[0] < 1300 and max(asked[3:]) <= 2 * 1000 / EACH_MS, asked
    assert one(roster, many[-1]).turn > 1000, "and the one that is free has its turn in each of these ticks"
    roster.found(0, "", many[:1], "")
    roster.put_off_longer(one(roster, many[0]), 0, 1.0, PAUSE_MS)
    assert one(roster, many[0]).pause_ms == PAUSE_MS


def test_a_pass_that_lay_in_vain_is_not_offered_again_for_its_own_return() -> None:
    roster = Roster()
    roster.found(0, "", [A, B], "")
    roster.put_off(0, A.id, 0, 100)
    roster.put_off(0, B.id, 0, 100, dry=True)
    roster.freed(A.key)
    roster.freed(B.key)
    assert order(roster) == [(0, "b")]


def test_what_nobody_came_for_is_not_offered_at_once_again() -> None:
    roster = Roster()
    roster.found(0, "", [A], "")
    roster.put_off(0, A.id, 0, 100)
    roster.put_off(0, B.id, 0, 100)
    assert order(roster, 99) == [] and order(roster, 100) == [(0, "a")]


def test_only_lanes_of_types_that_a_host_has_rules_for_are_its_own() -> None:
    roster = Roster()
    other = Lane("d" * 16, "shop.pay", "", 1, 5)
    roster.found(0, "", [A, other], "")
    roster.keep(lambda place, lane: place == 0)
    assert len(roster) == 2
    roster.keep(lambda place, lane: lane.type == "shop.pay")
    assert order(roster) == [(0, "d")]
