"""What people read: numbers, spans, sizes, and the rows of the tables."""

import io

import pytest
from rich.console import Console

from gangerd.cli import tables, words
from gangerd.cli.rendering import clean, table


@pytest.mark.parametrize(
    ("span_ms", "text"),
    [
        (None, "-"),
        (0, "0 ms"),
        (999, "999 ms"),
        (1500, "1.5 s"),
        (59_999, "59 s"),
        (180_000, "3 m"),
        (7_200_000, "2 h"),
        (90_000_000, "1 d"),
    ],
)
def test_a_span_has_one_unit(span_ms: int | None, text: str) -> None:
    assert words.span(span_ms) == text


def test_an_instant_is_told_from_now() -> None:
    assert words.ago(1_000_000, 1_180_000) == "3 m ago"
    assert words.ago(1_180_000, 1_000_000) == "in 3 m"
    assert words.ago(1_000_000, 1_000_400) == "now"
    assert words.ago(None, 1_000_000) == "-"


@pytest.mark.parametrize(
    ("size", "text"), [(None, "-"), (900, "900 B"), (1536, "1.5 KB"), (64 << 20, "64 MB")]
)
def test_a_size_is_in_powers_of_1024(size: int | None, text: str) -> None:
    assert words.size(size) == text


def test_a_job_is_told_without_what_does_not_hold_for_it() -> None:
    found = {
        "jid": "j",
        "kwargs": {},
        "args": [1, "a"],
        "due_at_ms": 61_000,
        "dead_at_ms": None,
        "failures": [1],
        "ran_ms": 1500,
    }
    assert tables.job(found, now_ms=1000) == [
        ("jid", "j"),
        ("args", '[1, "a"]'),
        ("due", f"{words.instant(61_000)} (in 1 m)"),
        ("ran", "1.5 s"),
    ]
    sealed = {"args": None, "kwargs": None, "encrypted": "2026-11"}
    assert tables.job(sealed, now_ms=1000) == [("args", "encrypted with key 2026-11")]
    assert words.instant(10**20) == str(10**20)


def test_numbers_have_thousands() -> None:
    assert words.number(1234567) == "1,234,567"
    assert words.plural(1, "job") == "1 job"
    assert words.plural(1234, "job") == "1,234 jobs"


def test_a_crash_is_one_row() -> None:
    crash = {
        "jid": "j",
        "type": "shop.send",
        "cause": "segfault",
        "attempt": 2,
        "ran_ms": 12,
        "at_ms": 1,
        "peak_rss_bytes": 64 << 20,
        "host": "h",
        "pid": 42,
        "evidence": ["It ended of SIGSEGV.", "A core was dumped."],
    }
    columns, rows = tables.crashes([crash], now_ms=61_001)
    assert len(columns) == len(rows[0])
    assert list(rows[0]) == [
        "1 m ago",
        "segfault",
        "shop.send",
        "j",
        "2",
        "12 ms",
        "64 MB",
        "h 42",
        "It ended of SIGSEGV. A core was dumped.",
    ]


def test_a_queue_with_nodes_out_of_reach_says_so_beside_its_numbers() -> None:
    queue = {"paused": False, "paused_partitions": 0, "partitions": 12, "unreachable": 4}
    assert tables.pause(queue, 0) == "4 of 12 partitions out of reach; open"
    paused = queue | {"paused": True, "paused_partitions": 8, "paused_since_ms": 1, "paused_note": "it moves"}
    assert tables.pause(paused, 60_001) == "4 of 12 partitions out of reach; paused 1 m ago: it moves"
    assert tables.pause(queue | {"unreachable": 0}, 0) == "open"


def test_the_most_frequent_cause_comes_first() -> None:
    assert tables.causes({"timeout": 1, "segfault": 1200}) == "1,200 segfault, 1 timeout"
    assert tables.causes({}) == "none"


def test_what_a_job_wrote_can_not_steer_the_terminal() -> None:
    assert clean("\x1b[2Jgone\nü") == "\\x1b[2Jgone\nü"


def test_a_narrow_terminal_cuts_no_cell_into_pieces() -> None:
    narrow = Console(file=io.StringIO(), width=40, force_terminal=True)
    jid, evidence = "j" * 29, "evidence " * 12
    table(("job", "evidence"), [(jid, evidence), (jid, "short")], out=narrow)
    assert isinstance(narrow.file, io.StringIO)
    lines = narrow.file.getvalue().splitlines()
    assert f" {jid}   {evidence}".rstrip() in lines
    assert f" {jid}   short" in lines
    assert narrow.width == 40
