"""Job ids: what can be read off one, their order, and that no two processes share a producer."""

import os

import pytest

from ganger import jid as jids
from ganger.errors import BadOptions


def test_a_jid_says_where_its_job_is() -> None:
    one, two = jids.mint("mail", 11, 2)
    assert len(one) == jids.LENGTH == 29
    assert jids.partition_of(one) == jids.partition_of(two) == 11
    assert jids.queue_digest_of(one) == jids.digest("mail") != jids.digest("other")
    assert (jids.index_of(one), jids.index_of(two)) == (0, 1)
    assert jids.producer_of(one) == jids.producer_of(two)
    assert jids.op_of(one) == jids.op_of(two)
    assert jids.op_of(jids.mint("mail", 11)[0]) == jids.op_of(one) + 1
    assert jids.check(one) == one


def test_the_order_of_jids_is_the_order_of_time(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    for at_ms in (0, 1, 31, 32, 1_795_336_620_987, 2**45 - 1):
        monkeypatch.setattr(jids, "now_ms", lambda at_ms=at_ms: at_ms)
        made += jids.mint("mail", 0)
        assert jids.made_at_ms(made[-1]) == at_ms
    assert made == sorted(made)


def test_every_partition_and_place_fits() -> None:
    assert jids.partition_of(jids.mint("mail", 1023)[0]) == 1023
    many = jids.mint("mail", 0, jids.MAX_PER_OP)
    assert [jids.index_of(jid) for jid in many] == list(range(jids.MAX_PER_OP))
    assert len(set(many)) == jids.MAX_PER_OP
    with pytest.raises(ValueError):
        jids.mint("mail", 0, jids.MAX_PER_OP + 1)


@pytest.mark.parametrize(
    "bad",
    ["", "x", "1m816djxstan03qfea6k4000000", "1M816DJXSTAN03QFEA6K400000000", "u" * 29, "8" + "0" * 28, 7],
)
def test_what_is_no_jid_is_refused(bad: str) -> None:
    with pytest.raises(BadOptions, match="no job id"):
        jids.check(bad)


def test_a_fork_draws_a_producer_of_its_own() -> None:
    mine = jids.producer_of(jids.mint("mail", 0)[0])
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(writer, jids.mint("mail", 0)[0].encode())
        os._exit(0)
    os.waitpid(pid, 0)
    theirs = jids.producer_of(os.read(reader, 100).decode())
    os.close(reader)
    os.close(writer)
    assert theirs != mine
    assert jids.producer_of(jids.mint("mail", 0)[0]) == mine


def test_a_producer_is_drawn_anew_when_its_ops_are_used_up(monkeypatch: pytest.MonkeyPatch) -> None:
    producer = jids._Producer()
    monkeypatch.setattr(producer, "_op", (1 << 25) - 1)
    last, first = producer.next(), producer.next()
    assert jids.decode(last[7:]) == (1 << 25) - 1
    assert jids.decode(first[7:]) == 0
    assert last[:7] != first[:7]


@pytest.mark.parametrize(
    ("places", "span"),
    [
        ([0], "000-000"),
        ([0, 1, 2], "000-002"),
        ([31, 32, 33, 7], "00z-011,007-007"),
        ([4, 6], "004-004,006-006"),
    ],
)
def test_places_are_noted_as_runs(places: list[int], span: str) -> None:
    many = jids.mint("mail", 0, 64)
    assert jids.span_of([many[place] for place in places]) == span
