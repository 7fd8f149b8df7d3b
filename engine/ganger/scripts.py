"""Loads lua/NAME.lua, one atomic transition in one slot per file, for `script(name).command(...)`.

A script's head is read here and replaced in place by local bindings, on the very same line, so that the line
number in a server's error is the line in the file:

    #!lua flags=allow-oom
    -- What it does, in a sentence or more.
    -- KEYS meta memo ready...            ->  local meta, memo, ready = KEYS[1], KEYS[2], {unpack(KEYS, 3)}
    -- ARGV consumer op rest...           ->  the same for ARGV
    -- USES next_id wake                  ->  the code of lua/lib/next_id.lua and lua/lib/wake.lua
    -- REPLY claimed refused              ->  the words that reply[1] may be; only kept for readers and tests

Each word may head several lines, which are read as one. A name that ends in `...` takes all that is left. The
head ends at the first line that is neither blank nor a comment. Nothing here talks to a server: the transport
sends EVALSHA, and EVAL where the server answers NOSCRIPT.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from ganger.command import Command, Word

_HEAD = re.compile(r"--\s*(KEYS|ARGV|USES|REPLY)\b(.*)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_RESERVED = frozenset(
    {"and", "break", "do", "else", "elseif", "end", "false", "for", "function", "if", "in", "local", "nil"}
    | {"not", "or", "repeat", "return", "then", "true", "until", "while", "KEYS", "ARGV", "redis"}
)
_TOKEN = re.compile(r"""--\[=*\[|--[^\n]*|\[=*\[|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.DOTALL)


class BadScript(Exception):
    """A script of the package breaks the form above: a programming error, so not a GangerError."""


@dataclass(frozen=True, slots=True)
class Script:
    """A script ready to be sent; `keys` and `argv` are the names in its head ("rest..." where open-ended)."""

    name: str
    source: bytes
    sha: str
    keys: tuple[str, ...]
    argv: tuple[str, ...]
    replies: tuple[str, ...]
    _start: tuple[bytes, bytes] = field(repr=False)
    _fallback: tuple[bytes, bytes] = field(repr=False)
    _fixed_keys: int = field(repr=False)
    _fixed_argv: int = field(repr=False)
    _open: tuple[bool, bool] = field(repr=False)

    def command(self, slot: int, keys: Sequence[bytes], args: Sequence[Word] = ()) -> Command:
        """The call of this script. Raises TypeError when the numbers don't fit the head."""
        n_keys, n_args = len(keys), len(args)
        more_keys, more_argv = self._open
        if n_keys != self._fixed_keys and not (more_keys and n_keys > self._fixed_keys):
            raise TypeError(f"script {self.name} takes KEYS {' '.join(self.keys)}, not {n_keys} keys")
        if n_args != self._fixed_argv and not (more_argv and n_args > self._fixed_argv):
            raise TypeError(f"script {self.name} takes ARGV {' '.join(self.argv)}, not {n_args} arguments")
        return Command(slot, (*self._start, n_keys, *keys, *args), self._fallback, self.name)


@cache
def script(name: str) -> Script:
    """The script lua/NAME.lua of this package, read once per process. Raises BadScript, FileNotFoundError."""
    return load(files("ganger").joinpath("lua"), name)


def load(directory: Traversable, name: str) -> Script:
    """Read and bind `directory`/NAME.lua with its libraries in `directory`/lib. Raises BadScript."""
    text = directory.joinpath(f"{name}.lua").read_text(encoding="utf-8")
    try:
        lines, heads = _bind(text.split("\n"), directory.joinpath("lib"))
    except BadScript as error:
        raise BadScript(f"{name}.lua: {error}") from None
    source = "\n".join(lines).encode()
    sha = hashlib.sha1(source, usedforsecurity=False).hexdigest()
    keys, argv = tuple(heads["KEYS"]), tuple(heads["ARGV"])
    open_keys, open_argv = (bool(names) and names[-1].endswith("...") for names in (keys, argv))
    return Script(
        name=name,
        source=source,
        sha=sha,
        keys=keys,
        argv=argv,
        replies=tuple(heads["REPLY"]),
        _start=(b"EVALSHA", sha.encode()),
        _fallback=(b"EVAL", source),
        _fixed_keys=len(keys) - open_keys,
        _fixed_argv=len(argv) - open_argv,
        _open=(open_keys, open_argv),
    )


def _bind(lines: list[str], libraries: Traversable) -> tuple[list[str], dict[str, list[str]]]:
    """The lines with the head's bindings in place, and the names under each head word."""
    if not re.match(r"#!lua(\s|\Z)", lines[0]) or "name=" in lines[0]:
        raise BadScript("line 1 must be `#!lua` with flags= or nothing, and no name=")
    bound = [lines[0]]
    heads: dict[str, list[str]] = {"KEYS": [], "ARGV": [], "USES": [], "REPLY": []}
    in_head = True
    for line in lines[1:]:
        in_head = in_head and (not line.strip() or line.startswith("--"))
        match = _HEAD.match(line) if in_head else None
        if match is None:
            bound.append(line)
            continue
        word, names = match[1], match[2].split()
        if word in ("KEYS", "ARGV"):
            bound.append(_locals(word, heads, names))
        elif word == "USES":
            bound.append(" ".join(one_line(name, libraries) for name in names))
        else:
            bound.append(line)
        heads[word] += names
    return bound, heads


def _locals(word: str, heads: dict[str, list[str]], names: list[str]) -> str:
    """`local a, rest = KEYS[1], {unpack(KEYS, 2)}`, counting on from earlier lines of the same word."""
    taken = [name.removesuffix("...") for name in heads["KEYS"] + heads["ARGV"]]
    if heads[word] and heads[word][-1].endswith("..."):
        raise BadScript(f"{word} names more after {heads[word][-1]}")
    left, right = [], []
    for position, name in enumerate(names, start=len(heads[word]) + 1):
        bare = name.removesuffix("...")
        if not _NAME.match(bare) or bare in _RESERVED or bare in taken:
            raise BadScript(f"{word} {name!r} is no name, or taken")
        if bare != name and position != len(heads[word]) + len(names):
            raise BadScript(f"{word} {name!r} must be the last")
        taken.append(bare)
        left.append(bare)
        right.append(f"{{unpack({word}, {position})}}" if bare != name else f"{word}[{position}]")
    return f"local {', '.join(left)} = {', '.join(right)}" if left else ""


def one_line(name: str, libraries: Traversable) -> str:
    """The code of lib/NAME.lua without comments and line ends. Raises BadScript for long brackets in it."""
    text = libraries.joinpath(f"{name}.lua").read_text(encoding="utf-8")

    def plain(match: re.Match[str]) -> str:
        token = match[0]
        if token.startswith(("[", "--[")):
            raise BadScript(f"lib/{name}.lua: long brackets can't be put on one line")
        return "" if token.startswith("--") else token

    return " ".join(_TOKEN.sub(plain, text).split("\n")).strip()
