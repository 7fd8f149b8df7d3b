"""Weighted round robin and the choice of a partition, as tables."""

import pytest

from gangerd.worker.choice import QueueChoice, StrictChoice, pick_partition
from gangerd.worker.costs import Costs


def test_a_weight_of_three_to_one_is_served_smoothly() -> None:
    choice = QueueChoice({"a": 3, "b": 1})
    assert "".join(choice.pick(["a", "b"]) for _ in range(8)) == "aabaaaba"


@pytest.mark.parametrize("weights", [{"a": 5, "b": 2, "c": 1}, {"a": 1, "b": 1}, {"x": 7, "y": 3, "z": 3}])
def test_the_shares_are_the_weights(weights: dict[str, int]) -> None:
    choice, rounds = QueueChoice(weights), 20
    total = sum(weights.values())
    served = [choice.pick(list(weights)) for _ in range(rounds * total)]
    assert {queue: served.count(queue) for queue in weights} == {q: rounds * w for q, w in weights.items()}
    for start in range(0, len(served) - total, total):
        assert set(served[start : start + total]) == set(weights), "the lightest is served within one round"


def test_an_empty_visit_costs_no_credit() -> None:
    with_empty, without = QueueChoice({"a": 3, "b": 1}), QueueChoice({"a": 3, "b": 1})
    seen = []
    for _ in range(8):
        with_empty.pick(["a", "b"])
        with_empty.charge(0)
        seen.append(with_empty.pick(["a", "b"]))
    assert seen == [without.pick(["a", "b"]) for _ in range(8)]


def test_a_queue_whose_visits_bring_little_is_visited_the_more() -> None:
    """Each visit to a brings a quarter of what one to b does: both come to the shares of their weights."""
    choice, brought = QueueChoice({"a": 3, "b": 1}), {"a": 0.0, "b": 0.0}
    for _ in range(1300):
        queue = choice.pick(["a", "b"])
        part = 0.25 if queue == "a" else 1.0
        choice.charge(part)
        brought[queue] += part
    assert brought["a"] / sum(brought.values()) == pytest.approx(0.75, rel=0.02)


def test_in_strict_order_a_lower_queue_is_served_only_when_those_above_have_nothing() -> None:
    choice = StrictChoice(["b", "a"])
    assert choice.pick(["a", "b", "c"]) == "b"
    choice.charge(0)
    assert [choice.pick(["c", "a"]), choice.pick(["c"]), choice.pick(["a", "b"])] == ["a", "c", "b"]


@pytest.mark.parametrize(
    ("waiting", "after", "expected"),
    [
        ([], 3, None),
        ([(4, 5)], 9, 4),
        ([(1, 5), (2, 5), (3, 5)], 1, 2),
        ([(1, 5), (2, 5), (3, 5)], 3, 1),
        ([(1, 5), (2, 9), (3, 5)], 2, 2),
        ([(1, 9), (2, 5), (3, 9)], 1, 3),
    ],
)
def test_the_partition_of_the_highest_priority_then_the_next_in_turn(
    waiting: list[tuple[int, int]], after: int, expected: int | None
) -> None:
    assert pick_partition(waiting, after) == expected


def test_one_slow_run_raises_the_cost_at_once_and_it_falls_slowly() -> None:
    costs = Costs()
    costs.ran("t", 100)
    assert costs.table() == {"t": 100}
    costs.ran("t", 10_100)
    assert costs.table()["t"] == 5_100
    costs.ran("t", 100)
    assert costs.table()["t"] > 4_000


def test_the_table_stays_the_same_object_while_figures_hardly_move() -> None:
    costs = Costs()
    costs.ran("t", 100)
    table = costs.table()
    costs.ran("t", 101)
    assert costs.table() is table
