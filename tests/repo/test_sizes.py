"""One idea a file: limits on length, a head that says what a file is, and no names that say nothing."""

import ast
from pathlib import Path

import pytest

from support.sources import LUA, ROOT, modules, scripts, text_files

PYTHON = [path for path in text_files() if path.suffix == ".py"]
SCRIPTS = [*scripts(), *sorted((LUA / "lib").glob("*.lua"))]
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "common", "base", "misc"}


def short(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", PYTHON, ids=short)
def test_a_python_file_has_at_most_300_lines(path: Path) -> None:
    lines = path.read_text().count("\n")
    assert lines <= 300


@pytest.mark.parametrize("path", SCRIPTS, ids=short)
def test_a_script_has_at_most_90_lines(path: Path) -> None:
    lines = path.read_text().count("\n")
    assert lines <= 90


@pytest.mark.parametrize("path", [m.path for m in modules().values()], ids=short)
def test_a_module_opens_with_what_it_is(path: Path) -> None:
    source = path.read_text()
    assert not source.strip() or ast.get_docstring(ast.parse(source))


@pytest.mark.parametrize("path", [m.path for m in modules().values()], ids=short)
def test_a_function_fits_a_screen(path: Path) -> None:
    """60 lines at most with its docstring, of which 40 are the aim."""
    tree = ast.parse(path.read_text())
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert not {f.name: _lines(f) for f in functions if _lines(f) > 60}


def _lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (function.end_lineno or 0) - function.lineno + 1


@pytest.mark.parametrize("path", [*PYTHON, *SCRIPTS], ids=short)
def test_a_name_says_something(path: Path) -> None:
    assert path.stem not in EMPTY_NAMES
    assert not EMPTY_NAMES & set(path.relative_to(ROOT).parts)
