"""What lies in Redis of a job: bodies, states, entries and records, good and garbled."""

import pytest

from ganger.job import (
    BLANK,
    Body,
    Entry,
    FailureRecord,
    Garbled,
    Record,
    State,
    clip,
    decode_body,
    decode_state,
    encode_body,
    encode_state,
    read_entry,
)
from ganger.keys import partitions

PLACE = partitions("ganger", "mail", 12)[3]


def test_a_blank_state_is_no_bytes() -> None:
    assert encode_state(State()) == b""
    assert decode_state(b"") is BLANK


def test_a_state_survives_with_its_failures_bounded() -> None:
    state = State(attempts=7, crashes=1)
    for attempt in range(1, 9):
        record = FailureRecord("exception", "ValueError", "ä" * 5000, attempt=attempt, stack="x" * 9000)
        state = State(attempts=attempt, failures=state.with_failure(record))
    assert decode_state(encode_state(state)) == state
    assert [one.attempt for one in state.failures] == [4, 5, 6, 7, 8]
    assert len(encode_state(state)) < 5 * 5500


def test_a_body_keeps_integers_that_a_double_cannot() -> None:
    body = Body(args=[2**63 - 1, "x"], kwargs={"a": None}, pushed_at_ms=5)
    assert encode_body(body) == b'{"args":[9223372036854775807,"x"],"kwargs":{"a":null},"pushed_at_ms":5}'
    assert decode_body(encode_body(body)) == body


def test_fields_of_later_versions_are_not_minded() -> None:
    assert decode_body(b'{"args":[1],"new":2}') == Body(args=[1])
    assert decode_state(b"[1,2,0,0,0,[],77]") == State(attempts=1, crashes=2)


@pytest.mark.parametrize(
    "fields",
    [None, [], [b"x", b"y"], [b"j"], [b"j", b"\xff", b"t", b"a", b"b", b"{}"], [b"j", b"1", b"t", b"a"]]
    + [[b"j", b"1", b"t", b"a", b"b", b"{}", b"s", state] for state in (b"[", b'{"a":1}', b'["x"]')],
)
def test_garbage_is_told_apart(fields: list[bytes] | None) -> None:
    found = read_entry(PLACE, 5, b"1-1", fields)
    assert isinstance(found, Garbled) and found.reason


def test_a_returned_entry_has_its_own_priority() -> None:
    found = read_entry(PLACE, 0, b"1-1", [b"j", b"1", b"t", b"a", b"b", b"{}", b"s", b"[1]", b"p", b"8"])
    assert isinstance(found, Entry)
    assert (found.priority, found.state.attempts) == (8, 1)


@pytest.mark.parametrize("data", [None, b"", b"a\n5\n9", b"a\nx\n0\n", b"a\n5\n1\n[", b"\xff\n5\n0\n"])
def test_a_record_that_cannot_be_read_is_shown_as_garbled(data: bytes | None) -> None:
    assert Record.read(data).type == "garbled"


def test_clipping_keeps_both_ends_and_clean_text() -> None:
    assert clip("short", 100) == "short"
    cut = clip("ä" * 100 + "end", 50)
    assert cut.startswith("ä") and cut.endswith("end") and len(cut.encode()) <= 50
    assert clip("\ud800", 10) == "?"
