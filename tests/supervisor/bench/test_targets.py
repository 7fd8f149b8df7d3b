"""What is wanted of the figures: held or missed, and by how much."""

import pytest

from gangerd.bench.case import Figure
from gangerd.bench.targets import TARGETS, judged


@pytest.mark.parametrize(
    ("figure", "held", "missed_by"),
    [
        (Figure("push.bulk", "", 150_000, "jobs/s"), True, 0.0),
        (Figure("push.bulk", "", 120_000, "jobs/s"), False, 0.2),
        (Figure("latency.half.p99", "", 10, "ms"), True, 0.0),
        (Figure("latency.half.p99", "", 12.5, "ms"), False, 0.25),
        (Figure("throughput.noop", "", 1, "jobs/s", 0.7, "the bare loop"), True, 0.0),
        (Figure("throughput.noop", "", 1_000_000, "jobs/s", 0.35, "the bare loop"), False, 0.5),
    ],
)
def test_a_figure_is_held_against_its_bound(figure: Figure, held: bool, missed_by: float) -> None:
    (found,) = judged({figure.key: figure})
    assert (found.held, found.missed_by) == (held, missed_by)


def test_what_was_not_measured_is_not_judged() -> None:
    assert judged({}) == []
    assert judged({"throughput.noop": Figure("throughput.noop", "", 1, "jobs/s")}) == []


def test_a_target_says_what_it_wants() -> None:
    figures = {one.key: Figure(one.key, "", 1.0, one.unit, 1.0, "") for one in TARGETS}
    wanted = [one.wanted for one in judged(figures)]
    assert len(wanted) == len(TARGETS)
    assert "at least 150,000 jobs/s" in wanted and "at most 0.3 % of a core" in wanted
