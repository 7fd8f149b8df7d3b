"""What no file of the repository may hold: promises, waits by the clock, traces of a building machine, halves
of a merge."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.sources import ROOT, text_files

FILES = [path for path in text_files() if path != Path(__file__).resolve()]
TESTS = [path for path in FILES if path.suffix == ".py" and "tests" in path.relative_to(ROOT).parts]

PROMISES = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
CONFLICTS = re.compile(r"^(<{7} .*|={7}|>{7} .*)$", re.MULTILINE)
# Where this very machine has the checkout and its Python, but for what is everywhere so.
MACHINE = [str(ROOT), *({sys.base_prefix} - {"/usr", "/usr/local"})]
REGISTRIES = re.compile(r"--(extra-)?index-url|https?://\S+/simple\b|https?://\S+\.(whl|deb|tar\.gz)\b")

# The one place that may pause between two looks at a condition, with a deadline.
POLLING = "tests/support/waiting.py"


def short(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", FILES, ids=short)
def test_no_file_holds_a_promise_or_a_trace_of_a_machine(path: Path) -> None:
    text = path.read_text()
    assert not PROMISES.findall(text)
    assert not CONFLICTS.findall(text)
    assert not [place for place in MACHINE if place in text]
    assert not REGISTRIES.findall(text)


@pytest.mark.parametrize("path", TESTS, ids=short)
def test_no_test_waits_by_sleeping(path: Path) -> None:
    """A job or a puppet process that sleeps is the load of a test: functions that are no test may. A pause in
    a test's own steps that is its subject says so in a comment on its line."""
    if short(path) == POLLING:
        return
    source = path.read_text()
    lines = source.splitlines()
    found = [line for step in steps(ast.parse(source)) for line in sleeps(step)]
    assert not [line for line in found if "#" not in lines[line - 1]]


def steps(tree: ast.Module) -> Iterator[ast.stmt]:
    """The statements of test functions and fixtures."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            marks = [ast.unparse(mark) for mark in node.decorator_list]
            if node.name.startswith("test_") or any("fixture" in mark for mark in marks):
                yield from node.body


def sleeps(node: ast.AST) -> Iterator[int]:
    """Lines that sleep, those of functions defined on the way left out."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        return
    if isinstance(node, ast.Call) and ast.unparse(node.func) in {"time.sleep", "sleep", "asyncio.sleep"}:
        yield node.lineno
    for child in ast.iter_child_nodes(node):
        yield from sleeps(child)
