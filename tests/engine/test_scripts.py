"""The script loader: the head becomes bindings on its own lines, and calls are counted."""

from pathlib import Path

import pytest

from ganger.calls import open_command
from ganger.cluster import Cluster
from ganger.command import Command
from ganger.errors import ScriptFailed
from ganger.keys import partitions
from ganger.operations.look import look_command
from ganger.scripts import BadScript, Script, load

SAMPLE = """#!lua flags=allow-oom
-- Adds up.
-- KEYS meta streams...
-- ARGV start
-- ARGV rest...
-- USES twice
-- REPLY sum

local total = tonumber(start)
-- ARGV is only a head word in the head
for _, value in ipairs(rest) do total = total + twice(value) end
if total > 999 then error('too much') end
return {'sum', total, meta, #streams}
"""
TWICE = """-- Twice a number; "strings" and -- comments in it are no trouble.
local function twice(value) -- one
  local mark = '--[['
  return value * 2, mark  -- two
end
"""
KEYS = [b"{k}:a", b"{k}:b", b"{k}:c"]
SLOT_OF_K = 7629


def make(tmp_path: Path, text: str, **libraries: str) -> Script:
    (tmp_path / "lib").mkdir(exist_ok=True)
    (tmp_path / "sample.lua").write_text(text)
    for name, code in libraries.items():
        (tmp_path / "lib" / f"{name}.lua").write_text(code)
    return load(tmp_path, "sample")


def test_the_head_is_bound_in_place(tmp_path: Path) -> None:
    lines = make(tmp_path, SAMPLE, twice=TWICE).source.decode().split("\n")
    assert lines[:3] == [*SAMPLE.split("\n")[:2], "local meta, streams = KEYS[1], {unpack(KEYS, 2)}"]
    assert lines[3:5] == ["local start = ARGV[1]", "local rest = {unpack(ARGV, 2)}"]
    assert lines[6:] == SAMPLE.split("\n")[6:]


def test_it_runs_on_a_server(tmp_path: Path, cluster: Cluster) -> None:
    sample = make(tmp_path, SAMPLE, twice=TWICE)
    assert sample.keys == ("meta", "streams...") and sample.argv == ("start", "rest...")
    assert sample.replies == ("sum",)
    assert cluster.run(sample.command(SLOT_OF_K, KEYS, (1, 2, b"3"))) == [b"sum", 11, b"{k}:a", 2]
    with pytest.raises(ScriptFailed, match=r"script sample failed.*:12: too much"):
        cluster.run(sample.command(SLOT_OF_K, KEYS, (1000,)))


def test_calls_are_counted(tmp_path: Path) -> None:
    sample = make(tmp_path, SAMPLE, twice=TWICE)
    with pytest.raises(TypeError, match=r"sample takes KEYS meta streams\.\.\., not 0 keys"):
        sample.command(0, [], (1,))
    with pytest.raises(TypeError, match="not 0 arguments"):
        sample.command(0, KEYS)
    exact = make(tmp_path, "#!lua\n-- KEYS a\nreturn a\n")
    with pytest.raises(TypeError):
        exact.command(0, KEYS)
    with pytest.raises(TypeError):
        exact.command(0, KEYS[:1], (1,))
    command = exact.command(5, KEYS[:1])
    assert command.words == (b"EVALSHA", exact.sha.encode(), 1, KEYS[0])
    assert command.with_fallback().words == (b"EVAL", exact.source, 1, KEYS[0])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("-- KEYS a\nreturn 1", "line 1"),
        ("#!lua name=x\nreturn 1", "line 1"),
        ("#!luax\nreturn 1", "line 1"),
        ("#!lua\n-- KEYS a a\n", "taken"),
        ("#!lua\n-- KEYS a\n-- ARGV a\n", "taken"),
        ("#!lua\n-- ARGV end\n", "no name"),
        ("#!lua\n-- ARGV a-b\n", "no name"),
        ("#!lua\n-- ARGV a... b\n", "must be the last"),
        ("#!lua\n-- ARGV a...\n-- ARGV b\n", "after"),
        ("#!lua\n-- USES long\n", "long brackets"),
    ],
)
def test_a_broken_head_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(BadScript, match=said):
        make(tmp_path, text, long="local a = [[x]]")


def test_what_only_reads_is_known() -> None:
    (place,) = partitions("ganger", "mail", 1)
    look = look_command(place)
    assert look.only_reads() and look.with_fallback().only_reads()
    assert Command(0, ("HGETALL", b"k")).only_reads() and not Command(0, ("HSET", b"k", 1, 2)).only_reads()
    assert not open_command(place).only_reads() and not open_command(place).with_fallback().only_reads()
