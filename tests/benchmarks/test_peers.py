"""benchmarks/peers: the tables, their place in the page, and what is made of a crash run's journal. Nothing
is run."""

import importlib.util
from types import ModuleType
from typing import Any

import pytest

from support.sources import ROOT


def loaded(name: str) -> ModuleType:
    """A module of benchmarks/peers, which is no package and whose environment need not be there."""
    spec = importlib.util.spec_from_file_location(
        f"peers_{name}", ROOT / "benchmarks" / "peers" / f"{name}.py"
    )
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


page, journal = loaded("page"), loaded("journal")

SECOND = 1_000_000_000


def system(**more: Any) -> dict[str, Any]:
    plain = {"version": "1", "at_least_once": True, "redelivered": "", "settings": "-c N", "turns": []}
    return {**plain, "figures": {}, "failed": {}, **more}


def found(**more: Any) -> dict[str, Any]:
    on = {"date": "2026-11-26", "cores": 2, "memory_gb": 24, "processor": "x86_64", "load": 0.1, "rounds": 3}
    on |= {"python": "3.11", "node": "20", "ruby": "none", "redis": "7.0", "ticks": 120}
    return {"quick": False, "measured_on": on, "systems": {}, "missing": {}, **more}


# ---- the page ------------------------------------------------------------------------------------------


def test_the_section_is_put_between_the_markers_whatever_stood_there() -> None:
    before = f"# P\n\n{page.BEGIN}\nold\n{page.END}\n\nrest\n"
    after = page.filled(before, "new\n")
    assert after == f"# P\n\n{page.BEGIN}\n\nnew\n\n{page.END}\n\nrest\n"
    assert page.filled(after, "new") == after


@pytest.mark.parametrize("text", ["", page.BEGIN, f"{page.END}\n{page.BEGIN}", (page.BEGIN + page.END) * 2])
def test_a_page_without_its_place_is_refused(text: str) -> None:
    with pytest.raises(page.NoPlace):
        page.filled(text, "new")


def test_the_published_page_has_the_place() -> None:
    text = (ROOT / "docs" / "performance.md").read_text()
    assert page.filled(text, "new") != text


def test_a_table_shows_medians_with_the_best_and_a_dash_for_what_was_not_measured() -> None:
    turns = [{"jobs_s": 100.0, "workers_us": 10.0, "server_us": 2.0}, {"jobs_s": 300.0}, {"jobs_s": 200.0}]
    lines = page.table(page.THROUGHPUT, {"One": system(turns=turns), "None": system()}).splitlines()
    assert lines[2] == "| One | 200 (300) | 12.0 | 10.0 / 2.0 | - | - |"
    assert lines[3] == "| None | - | - | - / - | - | - |"


def test_the_headline_compares_with_the_best_that_keeps_jobs_and_with_the_best_of_all() -> None:
    def at(rate: float, **more: Any) -> dict[str, Any]:
        return system(turns=[{"jobs_s": rate}], **more)

    systems = {"ganger": at(900.0), "A": at(300.0), "B": at(450.0, at_least_once=False)}
    said = page.headline(systems)
    assert said == (
        "ganger does 3.0 times the best of those that deliver at least once (A),"
        " 2.0 times the best of all (B)."
    )
    assert page.headline({"A": at(1.0)}) == page.headline({"ganger": at(1.0)}) == ""


def test_what_was_left_out_is_told_with_its_reason() -> None:
    section = page.section(
        found(missing={"A": "no npm on PATH"}, systems={"B": system(failed={"idle": "why"})})
    )
    assert "- A: no npm on PATH\n- B, idle: why" in section
    assert "busy" not in section


def test_a_busy_machine_is_told() -> None:
    busy = found()
    busy["measured_on"]["load"] = 3.0
    assert "busy otherwise (a load of 3.0)" in page.section(busy)


def test_the_crash_table() -> None:
    one = {
        "limit": "3 s",
        "unfinished": 2,
        "normal": 517,
        "twice": 0,
        "late": 1,
        "runs": {"a": 3, "b": 2, "c": 1},
    }
    one |= {
        "replaced_s": None,
        "hang_ended_s": 63.4,
        "hang_shared": False,
        "main_ends": 2,
        "harm": "h",
        "settings": "s",
    }
    one |= {"named": {"a": "job and cause", "b": "no", "c": "no"}, "trouble": ""}
    section = page.section(found(crash={"One": one}))
    assert (
        "| One | 3 s | 2 of 517 | 0 | 1 | 3 / 2 / 1 | not; main process restarted twice | 63 s"
        " | job and cause / no / no |"
    ) in section


# ---- the crash run -------------------------------------------------------------------------------------


def test_what_became_of_the_jobs() -> None:
    """1: fine. 2: begun twice. 3: begun, never ended. 4: 11 s late. 5: never begun. 9: the culprit."""
    lines = [
        "began 1 7 1 0",
        "ended 1 7 2 0",
        "began 2 7 1 0",
        "began 2 8 3 0",
        "ended 2 8 4 0",
        "began 3 8 5 0",
    ]
    lines += [f"began 4 8 {11 * SECOND} 0", f"ended 4 8 {12 * SECOND} 0", "began 9 7 2 0", "began 9 8 5 0"]
    result = journal.outcome(journal.events(lines), [], [1, 2, 3, 4, 5], {"a": 9, "c": 10}, 2)
    assert (result["unfinished"], result["twice"], result["late"]) == (2, 1, 1)
    assert result["runs"] == {"a": 2, "c": 0}
    assert result["replaced_s"] is None and result["hang_ended_s"] is None


def test_when_a_worker_was_replaced_and_a_hang_ended() -> None:
    lines = [f"began 9 7 {1 * SECOND} 0", f"began 10 8 {1 * SECOND} 0"]
    seen = [(0, frozenset({7, 8})), (2 * SECOND, frozenset({8})), (5 * SECOND, frozenset({6, 8}))]
    told = journal.events(lines)
    result = journal.outcome(told, seen, [], {"a": 9, "c": 10}, 2)
    assert result["replaced_s"] == 3 and result["hang_ended_s"] is None
    result = journal.outcome(told, [*seen, (6 * SECOND, frozenset({6, 11}))], [], {"a": 9, "c": 10}, 2)
    assert result["hang_ended_s"] == 5 and not result["hang_shared"]


def test_a_hang_in_the_process_of_another_culprit_is_told() -> None:
    told = journal.events(["began 9 7 1 0", "began 10 7 2 0"])
    assert journal.outcome(told, [], [], {"a": 9, "c": 10}, 2)["hang_shared"]


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["job 0f-11 failed: signal 11 (SIGSEGV)"], "job and cause"),
        (["job 0f-11 was lost", "pid 5 exited with signal 11"], "job; cause elsewhere"),
        (["job 0f-11 has failed"], "job"),
        (["a worker died of SIGSEGV"], "cause"),
        (["received 0f-11", "a worker died"], "no"),
    ],
)
def test_what_counts_as_named(texts: list[str], said: str) -> None:
    assert journal.named("a", ["0f-11"], texts) == said
