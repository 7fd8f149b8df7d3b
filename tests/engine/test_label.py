"""Labels: what is written is read back, plain bodies have none, and nothing in a value can break the line."""

import pytest

from ganger.job import Body, decode_body, encode_body
from ganger.label import NO_LABEL, Label, encode, split

FULL = Label(expires_at_ms=5, unique="a1", until_start=True, member="0b:17", track_ms=1800)


def test_a_plain_body_has_no_label() -> None:
    assert encode(NO_LABEL) == b""
    assert split(b'{"args":[1]}') == (NO_LABEL, b'{"args":[1]}')
    assert encode_body(Body(args=[1])) == b'{"args":[1]}'


def test_a_label_is_one_line_ahead() -> None:
    body = encode_body(Body(args=[9007199254740993]), FULL)
    assert body == b'x5 ua1 s b0b:17 t1800\n{"args":[9007199254740993]}'
    assert split(body) == (FULL, b'{"args":[9007199254740993]}')
    assert decode_body(body) == Body(args=[9007199254740993])


def test_a_time_to_begin_is_a_span_on_its_way_in() -> None:
    label = Label(expires_in_ms=5, member="0b:17")
    assert encode(label) == b"x+5 b0b:17\n"
    assert split(b"b0b:17 x+5\n{}") == (label, b"{}")


def test_a_word_of_a_newer_version_is_passed_over() -> None:
    assert split(b"q7 t9\n{}") == (Label(track_ms=9), b"{}")


@pytest.mark.parametrize("value", ["a b", "a\nb", "{", "ü", ""])
def test_no_value_breaks_the_line(value: str) -> None:
    with pytest.raises(ValueError, match="label"):
        encode(Label(unique=value) if value else Label(member=" "))


@pytest.mark.parametrize("body", [b"x5", b"xsoon\n{}", b"\xff\n{}"])
def test_what_is_no_label_is_told(body: bytes) -> None:
    with pytest.raises(ValueError):
        split(body)
