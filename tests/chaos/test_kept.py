"""A run that is over, judged again by what it kept beside its journals; and without that."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from chaos import judging, kept
from chaos.kept import Last, Over, Struck
from chaos.run import judge
from chaos.story import Story, ns

MARKS = {"harm begins": 10, "harm ends": 40, "healed": 41, "pushing ends": 50, "drained": 60}
OVER = Over(
    Last(replayed=0),
    seed=7,
    minutes=1.0,
    server="valkey",
    struck=[Struck("kill a primary", ["failover"], count=2, not_now={"no replicas": 1})],
    errors={"MOVED": 3},
    began_ns=ns(0),
    ended_ns=ns(95),
    apart_ns=0,
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A run with a job that has ended, and one that is buried by its kind."""
    story = Story()
    story.run(story.push("flaky", 11), "flaky", 12, 13)
    doomed = story.push("doomed", 11)
    for attempt, at in ((1, 12), (2, 14)):
        story.run(doomed, "doomed", at, at + 1, ok=False, attempt=attempt)
    for folder, name, lines in [
        ("pushes", "5-1", story.pushes),
        *(("runs", f"{pid}-1", lines) for pid, lines in story.runs.items()),
    ]:
        (tmp_path / "journal" / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / "journal" / folder / name).write_text("\n".join(lines) + "\n")
    notes = [{"what": what, "at_ns": ns(at)} for what, at in MARKS.items()]
    notes[1:1] = [
        {
            "what": "strike",
            "name": "kill a primary",
            "begin_ns": ns(at),
            "end_ns": ns(at + 1),
            "at_ns": ns(at + 1),
        }
        for at in (20, 30)
    ]
    (tmp_path / "strikes").write_text("".join(json.dumps(note) + "\n" for note in notes))
    (tmp_path / "producers.log").touch()
    return tmp_path


def test_it_is_judged_again_as_it_was(root: Path) -> None:
    letter = {_doomed(root): {"crashes": 0, "causes": ["error"]}}
    over = replace(OVER, last=Last(dead=letter, counters={}, leaks=["a lease"], replayed=0))
    kept.write(root, over)
    report = judge(root)
    assert report == judging.judge(root, over)
    assert report is not None and (report.seed, report.branches["moved"]) == (7, 3)
    assert report.strikes == {"kill a primary": 2} and report.sorts["dead"] == 1
    assert report.not_now == {"kill a primary": {"no replicas": 1}}
    assert report.violations == [("I14", "a lease", "")] and not report.not_judged


def _doomed(root: Path) -> str:
    """The job that was buried."""
    lines = [line.split() for line in (root / "journal/runs/1-1").read_text().splitlines()]
    return next(words[1] for words in lines if words[0] == "R")


def test_without_the_last_state_it_says_what_it_can_not_judge(root: Path) -> None:
    report = judge(root)
    assert report is not None and report.violations == [] and not report.ok
    assert report.sorts["lost, or a dead letter"] == 1 and "lost" not in report.sorts
    assert report.strikes == {"kill a primary": 2} and report.seed is None
    assert ["I1," in text for text in report.not_judged] == [True, False, False, False]
    jobs = dict(report.tables())["Jobs"]
    assert "lost" not in dict(jobs) and dict(jobs)["acknowledged"] == "2"


def test_one_that_was_broken_off_is_not_judged(root: Path) -> None:
    notes = (root / "strikes").read_text().splitlines()
    (root / "strikes").write_text("\n".join(notes[:-1]) + "\n")
    assert judge(root) is None
    assert kept.read(root / "journal") is None
