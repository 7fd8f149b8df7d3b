"""requirements.lock holds all that pyproject.toml asks for, at versions it allows, each pinned by hash."""

import re
import tomllib
from importlib.metadata import PackageNotFoundError, requires

import pytest
from packaging.requirements import Requirement

from support.sources import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = [each for extra in PROJECT["optional-dependencies"].values() for each in extra]
DIRECT = [each for each in [*PROJECT["dependencies"], *EXTRAS] if not each.startswith("ganger[")]
LOCK = (ROOT / "requirements.lock").read_text()
PINNED = dict(re.findall(r"^([a-z0-9.-]+)==(\S+)", LOCK, flags=re.MULTILINE))


@pytest.mark.parametrize("text", DIRECT)
def test_a_requirement_is_locked(text: str) -> None:
    requirement = Requirement(text)
    assert requirement.specifier.contains(PINNED[requirement.name.lower().replace("_", "-")])


@pytest.mark.parametrize("python", ["3.11.0", "3.11.3", "3.12.0", "3.13.0", "3.14.0"])
def test_what_the_locked_ones_require_is_locked(python: str) -> None:
    """By their markers on each Python, an early 3.11 among them. What is locked but not installed here can't
    be asked."""
    here = {"python_version": python.rpartition(".")[0], "python_full_version": python, "extra": ""}
    missing = []
    for name in PINNED:
        try:
            wanted = [Requirement(text) for text in requires(name) or ()]
        except PackageNotFoundError:
            continue
        needed = [each for each in wanted if each.marker is None or each.marker.evaluate(here)]
        missing += [str(each) for each in needed if each.name.lower().replace("_", "-") not in PINNED]
    assert missing == []


def test_everything_is_pinned_by_hash() -> None:
    entries = re.split(r"^(?=[a-z0-9.-]+==)", LOCK, flags=re.MULTILINE)[1:]
    assert len(entries) == len(PINNED)
    assert not [entry for entry in entries if "--hash=sha256:" not in entry]


def test_nothing_says_where_packages_come_from() -> None:
    """That is for the machine's own settings to say."""
    assert "://" not in LOCK
    assert not re.search(r"^-", LOCK, flags=re.MULTILINE)


def test_every_make_target_that_is_written_about_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        assert set(re.findall(r"`make ([a-z-]+)", page.read_text())) <= targets, page
