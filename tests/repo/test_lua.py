"""What every Lua script owes: a shebang, a head the loader reads, keys only by name, a test of its own."""

import re
from pathlib import Path

import pytest

from support.sources import LUA, ROOT, scripts

SCRIPTS = scripts()
PARTS = sorted((LUA / "lib").glob("*.lua"))

# Commands whose first argument is no key; where the key stands is checked apart.
KEYLESS = {"TIME", "XREADGROUP", "XREAD", "XGROUP", "XINFO", "OBJECT"}
KEY_LITERALS = (
    re.compile(r"""redis\.p?call\(\s*['"](?P<command>\w+)['"]\s*,\s*['"]"""),
    re.compile(r"""redis\.p?call\(\s*['"](?:XGROUP|XINFO|OBJECT)['"]\s*,\s*['"]\w+['"]\s*,\s*['"]"""),
    re.compile(r"""['"]STREAMS['"]\s*,\s*['"]"""),
)


def stem(path: Path) -> str:
    return path.stem


def code(path: Path) -> str:
    """The script without its comments."""
    return "\n".join(re.sub(r"--.*", "", line) for line in path.read_text().splitlines())


def test_there_are_scripts() -> None:
    assert SCRIPTS


@pytest.mark.parametrize("path", SCRIPTS, ids=stem)
def test_a_script_has_a_test_file(path: Path) -> None:
    tests = {each.name for each in (ROOT / "tests" / "lua").glob("test_*.py")}
    assert f"test_{path.stem}.py" in tests


@pytest.mark.parametrize("path", SCRIPTS, ids=stem)
def test_a_script_begins_with_its_shebang(path: Path) -> None:
    """Without it Redis lets a script touch another slot as long as the same node owns that one."""
    first = path.read_text().splitlines()[0]
    assert re.fullmatch(r"#!lua( flags=[a-z,-]+)?", first)


@pytest.mark.parametrize("path", SCRIPTS, ids=stem)
def test_a_full_server_can_drain(path: Path) -> None:
    """What brings new work in is refused at maxmemory; everything else must go on."""
    flags = path.read_text().splitlines()[0]
    new_jobs = {"push", "push_unique", "schedule", "copy_in", "fire"}
    new_jobs |= {"batch_register", "batch_create", "batch_add"}
    brings_work = path.stem in new_jobs | {"open_partition", "register_queue"}
    assert brings_work or "allow-oom" in flags or "no-writes" in flags


@pytest.mark.parametrize("path", SCRIPTS, ids=stem)
@pytest.mark.parametrize("word", ["KEYS", "REPLY"])
def test_a_head_names_keys_and_replies(path: Path, word: str) -> None:
    """ARGV may be missing where there are none: names in the code come from nowhere else."""
    assert re.search(rf"^--\s*{word}\b", path.read_text(), flags=re.MULTILINE)
    assert not re.search(r"\bARGV\s*\[", code(path)), "arguments are named in the head, not numbered"


@pytest.mark.parametrize("path", SCRIPTS, ids=stem)
def test_a_head_tells_the_crash_points(path: Path) -> None:
    assert "Crash points:" in path.read_text()


@pytest.mark.parametrize("path", PARTS, ids=stem)
def test_a_shared_part_has_no_shebang(path: Path) -> None:
    assert not path.read_text().startswith("#!")


@pytest.mark.parametrize("path", [*SCRIPTS, *PARTS], ids=stem)
def test_no_key_is_spelled_in_lua(path: Path) -> None:
    """A key made inside a script works until its slot moves: names come from keys.py alone."""
    text = code(path)
    literals = [m for pattern in KEY_LITERALS for m in pattern.finditer(text)]
    assert not [m.group() for m in literals if m.groupdict().get("command") not in KEYLESS]
    assert "ganger:" not in text
    assert not re.search(r"\bKEYS\s*\[", text), "keys are named in the header, not numbered"


@pytest.mark.parametrize("path", [*SCRIPTS, *PARTS], ids=stem)
def test_lua_moves_bytes_and_parses_no_json(path: Path) -> None:
    """cjson turns integers above 2^53 into other integers."""
    assert "cjson" not in code(path)
