"""The rare branches: who aims at one must have taken it by its own strikes."""

from collections import Counter

from chaos.branches import RARELY, instants, missed, taken
from chaos.evidence import Evidence, Strike
from chaos.kept import Struck
from chaos.story import Story, ns


def said(nemesis: Struck, failovers: list[int], strikes: list[int]) -> list[str]:
    """What is missed of failovers, when it struck then, for a second each."""
    evidence = Evidence(failovers=[(ns(at), ((0, 1),)) for at in failovers])
    history, found = Story().read(), Story().check()
    counts = taken(Counter(), evidence, history, found)
    rows = [Strike(nemesis.name, ns(at), ns(at + 1)) for at in strikes]
    return list(missed([nemesis], counts, instants(evidence, history), rows))


def test_a_branch_counts_when_it_is_taken_by_a_strike_of_who_aims_at_it() -> None:
    nemesis = Struck("kill a primary", ["failover"], count=4)
    strikes = [100, 200, 300, 400]
    assert said(nemesis, [203], strikes) == []
    assert said(nemesis, [430], strikes) == []
    others = "failover: taken, but by none of 4 strikes of 'kill a primary'"
    assert said(nemesis, [99, 150, 450], strikes) == [others]
    assert said(nemesis, [], strikes) == ["failover: aimed at by 'kill a primary', and never taken"]


def test_who_has_struck_seldom_proves_nothing() -> None:
    assert said(Struck("kill a primary", ["failover"], count=3), [], [100, 200, 300]) == []
    rare = Struck("kill a primary", ["memo hit"], count=RARELY["memo hit"] - 1)
    assert said(rare, [], [100]) == []
    rare.count += 1
    assert said(rare, [], [100]) == ["memo hit: aimed at by 'kill a primary', and never taken"]


def test_when_a_memo_knew_a_push_is_known() -> None:
    story = Story()
    story.pushes.append(f"H {ns(7)}")
    assert instants(Evidence(), story.read())["memo hit"] == [ns(7)]
