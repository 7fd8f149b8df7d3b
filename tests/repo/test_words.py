"""What no file of the repository may hold: promises, waits by the clock, traces of a building machine."""

import ast
import re
from pathlib import Path

import pytest

from support.sources import ROOT, text_files

FILES = [path for path in text_files() if path != Path(__file__).resolve()]
TESTS = [path for path in FILES if path.suffix == ".py" and "tests" in path.relative_to(ROOT).parts]

PROMISES = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
MACHINE = re.compile(r"/work/(main|shared)|/tmp/plan|/opt/(pypi|wheels)|/root/\.pyenv")
REGISTRY_HOSTS = re.compile(r"pythonhosted\.org|\bpypi\.org|registry\.npmjs|deb\.debian\.org")

# A job that sleeps is the load of a test, not its synchronisation: apps that tests run may sleep.
LOADS = re.compile(r"tests/(.*/)?(apps|app_\w+\.py|apps\.py)")
# The one place that may pause between two looks at a condition, with a deadline.
POLLING = "tests/support/waiting.py"


def short(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", FILES, ids=short)
def test_no_file_holds_a_promise_or_a_trace_of_a_machine(path: Path) -> None:
    text = path.read_text()
    assert not PROMISES.findall(text)
    assert not MACHINE.findall(text)
    assert not REGISTRY_HOSTS.findall(text)


@pytest.mark.parametrize("path", TESTS, ids=short)
def test_no_test_waits_by_sleeping(path: Path) -> None:
    if LOADS.search(short(path)) or short(path) == POLLING:
        return
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    assert not [c.lineno for c in calls if ast.unparse(c.func) in {"time.sleep", "sleep"}]
