"""A run that is over, judged again by what it kept beside its journals; and without that."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from chaos import judging, kept
from chaos.kept import Last, Over, Struck
from chaos.nemesis import Lacking, NotNow
from chaos.run import judge
from chaos.story import Story, ns
from gangerd.errors import KeptDamaged

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
    ganger="0.9",
    server_version="Valkey 9.1.2",
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
    notes.append({"what": "ended", "of": "north", "log": "log.1", "pid": 4, "exit_code": 0, "asked": True})
    notes[-1]["at_ns"] = ns(61)
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
    (tmp_path / "north").mkdir()
    (tmp_path / "north/log.1").write_text('{"at": "1970-01-01T00:16:50+00:00", "event": "x"}\n')
    return tmp_path


def test_it_is_judged_again_as_it_was(root: Path) -> None:
    letter = {_doomed(root): {"crashes": 0, "causes": ["error"]}}
    over = replace(OVER, last=Last(dead=letter, counters={}, leaks=["a lease"], replayed=0))
    kept.write(root, over)
    report = judge(root)
    assert report == replace(judging.judge(root, over), judged_again=True)
    assert report is not None and (report.seed, report.branches["moved"]) == (7, 3)
    assert report.strikes == {"kill a primary": 2} and report.sorts["dead"] == 1
    assert report.not_now == {"kill a primary": {"no replicas": 1}}
    assert report.violations == [("I14", "a lease", "")] and not report.not_judged
    assert report.origin().startswith("1970-01-01T00:16:40+00:00, ganger 0.9, Valkey 9.1.2; judged again, by")


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
    assert report.origin().startswith("when and of what ganger is not known; judged again, by ganger ")
    assert "lost" not in dict(jobs) and dict(jobs)["acknowledged"] == "2"


def test_one_that_was_broken_off_is_not_judged(root: Path) -> None:
    notes = (root / "strikes").read_text().splitlines()
    (root / "strikes").write_text("\n".join(notes[:-2]) + "\n")
    assert judge(root) is None
    assert kept.read(root / "journal") is None


def _halve(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _garble(path: Path) -> None:
    path.write_bytes(bytes(range(128, 256)) * 2 + b"\n" + path.read_bytes())


def _reword(path: Path) -> None:
    path.write_text("B what\n" + path.read_text())


DAMAGE: list[tuple[str, Callable[[Path], object], str]] = [
    ("last", _halve, "it holds what no run writes there"),
    ("last", lambda path: path.write_text("[]"), "it holds what no run writes there"),
    ("strikes", _halve, "when the run ended"),
    ("strikes", _garble, "it holds what no run writes there"),
    ("strikes", Path.unlink, "can't be read, so this run can't be judged: No such file or directory."),
    ("north/log.1", Path.unlink, "can't be read, so this run can't be judged: No such file or directory."),
    ("north/log.1", _halve, "when the run ended"),
    ("north/log.1", lambda path: path.write_text("{" + path.read_text()), "what no run writes there"),
    ("producers.log", Path.unlink, "No such file or directory."),
    ("journal/pushes/5-1", _halve, "when the run ended"),
    ("journal/pushes/5-1", _garble, "it holds what no run writes there"),
    ("journal/runs/1-1", _garble, "it holds what no run writes there"),
    ("journal/runs/1-1", _reword, "it holds what no run writes there"),
    ("journal/runs/1-1", Path.unlink, "No such file or directory."),
]


@pytest.mark.parametrize(("name", "damage", "told"), DAMAGE)
def test_what_is_damaged_is_refused_by_name(
    root: Path, name: str, damage: Callable[[Path], object], told: str
) -> None:
    kept.write(root, OVER)
    damage(root / name)
    with pytest.raises(KeptDamaged) as refused:
        judge(root)
    text = str(refused.value)
    assert text.startswith(f"{root / name} ") and told in text and "\n" not in text


def test_of_an_older_run_that_kept_no_sizes_the_record_tells_what_is_missing(root: Path) -> None:
    kept.write(root, OVER)
    known = json.loads((root / "last").read_text())
    for added in ("sizes", "ganger", "server_version"):
        del known[added]
    (root / "last").write_text(json.dumps(known))
    assert judge(root) is not None
    (root / "north/log.1").unlink()
    with pytest.raises(KeptDamaged, match=r"north/log\.1 can't be read"):
        judge(root)
    notes = (root / "strikes").read_text().splitlines()
    (root / "strikes").write_text("\n".join(notes[:-3]) + "\n")
    with pytest.raises(KeptDamaged, match="it does not tell of 'pushing ends, drained'"):
        judge(root)


def test_what_was_skipped_is_told_apart_from_what_the_machine_lacks(root: Path) -> None:
    struck = Struck("spool full", count=3)
    for why in (Lacking("only root may"), NotNow("no worker lives"), NotNow("no worker lives")):
        struck.skip(why)
    kept.write(root, replace(OVER, struck=[struck, Struck("reload (HUP)", count=2)]))
    report = judge(root)
    assert report is not None and report.lacking == {"spool full": ["only root may"]}
    assert report.not_now == {"spool full": {"only root may": 1, "no worker lives": 2}}
    assert dict(report.tables())["Faults"] == [
        ("reload (HUP)", "2"),
        ("spool full", "3 (2 skipped, mostly: no worker lives; not possible here: only root may)"),
    ]
