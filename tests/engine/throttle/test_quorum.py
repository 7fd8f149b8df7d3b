"""The protocol of a permit, without sockets: never more than the limit whatever happens, and the full limit
when nothing does. GANGER_SEEDS sets how many histories each case lives through."""

import os
import random

import pytest

from ganger.throttle.attempt import Attempt
from ganger.throttle.quorum import Answer, Holding, Refused, Terms
from support.permit_world import World

SEEDS = int(os.environ.get("GANGER_SEEDS", "200"))
SPAN_MS = 60_000


class Counted(Terms):
    """As above 64, for a limit that a small world can fill."""

    @property
    def cap(self) -> int:
        return (self.quorum * (self.limit + 1) - 1) // self.servers


class PlainMajority(Terms):
    """What others do: each server lets in as many as the limit, and a majority of votes is a permit."""

    @property
    def cap(self) -> int:
        return self.limit


@pytest.mark.parametrize(
    ("terms", "clients"),
    [
        (Terms(1, 2), 4),
        (Terms(3, 1), 4),
        (Terms(3, 2), 5),
        (Terms(3, 3), 6),
        (Terms(3, 10), 14),
        (Terms(5, 2), 5),
        (Terms(2, 2), 5),
        (Counted(1, 3), 6),
        (Counted(3, 4), 8),
        (Counted(3, 10), 16),
        (Counted(5, 4), 8),
    ],
    ids=str,
)
def test_never_more_than_the_limit(terms: Terms, clients: int) -> None:
    granted, seeds = 0, SEEDS // clients  # a large world costs more than a small one
    for seed in range(seeds):
        world = World(seed, terms, clients).run(SPAN_MS)
        assert world.most <= terms.limit, f"seed {seed}"
        granted += world.granted
    assert granted > 2 * seeds


def full(terms: Terms) -> int:
    """Under a cap the servers may be filled unevenly, which costs one."""
    return terms.capacity - (terms.cap > 0)


@pytest.mark.parametrize(
    "terms", [Terms(3, 1), Terms(3, 10), Terms(5, 3), Counted(3, 10), Counted(3, 4)], ids=str
)
def test_the_full_limit_when_nothing_happens(terms: Terms) -> None:
    for seed in range(3):
        assert World(seed, terms, terms.limit * 2, calm=True).run(SPAN_MS).most >= full(terms)


@pytest.mark.parametrize("terms", [Terms(3, 1), Terms(3, 3), Terms(5, 2), Counted(3, 4)], ids=str)
def test_the_full_limit_again_when_all_is_over(terms: Terms) -> None:
    """What abandoned attempts and dead holders have left behind is gone after a TTL or two."""
    for seed in range(10):
        world = World(seed, terms, terms.limit * 2 + 2).run(40_000)
        world.heal()
        world.run(65_000)
        world.most = 0
        assert world.run(110_000).most >= full(terms), f"seed {seed}"


def test_capacity_above_64_is_close_to_the_limit() -> None:
    for servers in (1, 3, 5):
        for limit in range(65, 400):
            terms = Terms(servers, limit)
            assert limit - 2 <= terms.capacity <= limit


def excess(terms: Terms, clients: int, seeds: int, **how: bool) -> int:
    """In how many of these histories are there more than the limit?"""
    return sum(World(seed, terms, clients, **how).run(SPAN_MS).most > terms.limit for seed in range(seeds))


def test_a_plain_majority_lets_too_many_in_and_this_test_can_see_it() -> None:
    assert excess(PlainMajority(3, 2), 6, 20) > 2
    assert excess(PlainMajority(3, 10), 20, 3) > 0


def test_servers_that_grant_as_soon_as_they_are_up_let_too_many_in() -> None:
    assert excess(Terms(3, 1), 4, 60, trusting=True) > 1
    assert excess(Counted(3, 4), 8, 30, trusting=True) > 0


# ---- single steps -------------------------------------------------------------------------------------


def held(terms: Terms, votes: dict[int, float]) -> Holding:
    return Holding(terms, "ab", "0", votes, 0.0)


def test_a_permit_is_valid_while_a_quorum_of_votes_counts() -> None:
    holding = held(Terms(3, 1, 1000), {0: 900.0, 1: 500.0, 2: 700.0})
    assert holding.valid_until_ms() == 700.0
    assert holding.is_valid(699.0) and not holding.is_valid(700.0)


def test_what_is_lost_stays_lost() -> None:
    holding = held(Terms(3, 1, 1000), {0: 900.0, 1: 900.0})
    asks = holding.renew(100.0)
    assert [(ask.server, ask.verb) for ask in asks] == [(0, "renew"), (1, "renew"), (2, "acquire")]
    assert not holding.is_valid(901.0)
    for ask in asks:
        assert [one.verb for one in holding.hear(ask, Answer("renewed"), 902.0)] == ["release"]
    assert not holding.is_valid(903.0) and holding.renew(903.0) == []


def test_a_vote_counts_from_when_its_message_was_made() -> None:
    holding = held(Terms(1, 1, 1000), {0: 500.0})
    (ask,) = holding.renew(100.0)
    holding.hear(ask, Answer("renewed"), 400.0)
    assert holding.valid_until_ms() == 100.0 + 1000 - 12


def test_a_renewal_by_a_server_whose_vote_has_ended_meanwhile_counts_for_nothing() -> None:
    """That server may have forgotten it, and have voted for another since."""
    holding = held(Terms(3, 1, 1000), {0: 900.0, 1: 900.0, 2: 200.0})
    asks = holding.renew(100.0)
    assert holding.hear(asks[2], Answer("renewed"), 300.0) == []
    assert holding._votes[2] == 200.0


def test_what_an_operator_takes_away_ends_at_the_next_renewal() -> None:
    holding = held(Terms(3, 1, 1000), {0: 900.0, 1: 900.0, 2: 900.0})
    holding.hear(holding.renew(100.0)[0], Answer("revoked"), 110.0)
    assert holding.revoked and not holding.is_valid(111.0)


def test_two_gates_with_two_seats_make_one_permit() -> None:
    """The first was taken for silent, and its answer comes when the second one's is on its way."""
    attempt = Attempt(Terms(3, 2), "ab", [0, 1, 2], ["0", "1"])
    (first,) = attempt.begin(0)
    (second,) = attempt.hear(first, Answer("silent"), 50)
    assert (first.server, second.server) == (0, 1)
    (third,) = attempt.hear(first, Answer("granted", "0"), 60)
    assert (third.server, third.seats) == (2, ("0",))
    undo, again = attempt.hear(second, Answer("granted", "1"), 70)
    assert (undo.server, undo.verb, undo.seats) == (1, "release", ("1",))
    assert (again.server, again.verb, again.seats) == (1, "acquire", ("0",))
    assert attempt.hear(again, Answer("granted", "0"), 80) == []
    assert isinstance(attempt.outcome, Holding) and attempt.outcome.seat == "0"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["silent", "silent", "silent"], "quorum"),
        (["silent", "silent", "young"], "quorum"),
        (["silent", "young", "young"], "young"),
        (["young", "full"], "full"),
        (["full"], "full"),
    ],
)
def test_a_refusal_says_why(words: list[str], why: str) -> None:
    attempt = Attempt(Terms(3, 2), "ab", [0, 1, 2], ["0", "1"])
    asks = attempt.begin(0)
    for word in words:
        assert attempt.outcome is None
        asks = attempt.hear(asks[0], Answer(word, wait_ms=7.0), 10)
    assert attempt.outcome == Refused(why, 0.0 if why == "quorum" else 7.0)


def test_a_seat_without_a_quorum_is_given_back_and_another_tried() -> None:
    attempt = Attempt(Terms(3, 3), "ab", [0, 1, 2], ["0", "1", "2"])
    (gate,) = attempt.begin(0)
    others = attempt.hear(gate, Answer("granted", "0"), 1)
    assert attempt.hear(others[0], Answer("full", taken=frozenset({"0", "1"})), 2) == []
    asks = attempt.hear(others[1], Answer("full", taken=frozenset({"0"})), 3)
    assert [(ask.verb, ask.token, ask.seats) for ask in asks] == [
        ("release", "ab", ("0",)),
        ("acquire", "ab1", ("2",)),
    ]


def test_the_order_of_seats_holds_each_once() -> None:
    from ganger.throttle.attempt import seats_in_turn

    assert sorted(seats_in_turn(Terms(3, 4), random.Random(1))) == ["0", "1", "2", "3"]
