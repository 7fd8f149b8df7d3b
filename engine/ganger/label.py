"""The label of a job: one line ahead of its body that scripts can read, for jobs with extras only. Pure.

A plain job's body begins with `{` and has none. The label is written by the push and travels with the
body through all structures, since scripts copy bodies as they are. It says what the end of the job owes to
others and until when it may begin; lua/lib/label.lua reads it without a parser:

    x1700000000000 u3f2a9c... s b0k2m:17 t1800000\\n{"args": ...}

Two words are written by scripts: `x` by those that take a job in, for the producer's clock may be wrong and
theirs is the one that the word is held against; `r` by a run over the past.
"""

import re
from typing import Any

import msgspec

_BRACE = ord("{")
_WORD = re.compile(r"(?:x\+)?[A-Za-z0-9_.:/-]+\Z")


class Label(msgspec.Struct, frozen=True):
    """See above. Instants and spans in milliseconds."""

    expires_at_ms: int | None = None
    """x: nobody begins it from then on."""
    unique: str | None = None
    """u: the digest whose lock it holds (locks of its partition)."""
    until_start: bool = False
    """s: that lock is freed when the job starts, not when it ends."""
    member: str | None = None
    """b: "<batch id>:<number>"."""
    track_ms: int | None = None
    """t: its end is kept for so long."""
    run: str | None = None
    """r: "<run>:<ms>:<how>", the replay that brought it back, when it had ended before and how; or "<run>",
    the one that skipped it (lua/lib/stamp.lua)."""
    expires_in_ms: int | None = None
    """x+: so long after it is due, or has arrived. Only on its way in: from there on it is expires_at_ms."""

    @property
    def run_name(self) -> str | None:
        """The run that moved the job last."""
        return self.run.partition(":")[0] if self.run else None

    @property
    def batch_id(self) -> str | None:
        return None if self.member is None else self.member.partition(":")[0]


NO_LABEL = Label()


def encode(label: Label) -> bytes:
    """The line with its end, or no bytes when there is nothing to say. Raises ValueError for a value that
    would break it."""
    words = []
    if label.expires_at_ms is not None:
        words.append(f"x{label.expires_at_ms}")
    elif label.expires_in_ms is not None:
        words.append(f"x+{label.expires_in_ms}")
    if label.unique is not None:
        words.append(f"u{label.unique}")
    if label.until_start:
        words.append("s")
    if label.member is not None:
        words.append(f"b{label.member}")
    if label.track_ms is not None:
        words.append(f"t{label.track_ms}")
    if label.run is not None:
        words.append(f"r{label.run}")
    for word in words:
        if not _WORD.match(word):
            raise ValueError(f"{word!r} can't stand in a label")
    return (" ".join(words) + "\n").encode() if words else b""


def split(body: bytes) -> tuple[Label, bytes]:
    """The label of a job's body and what follows it. Raises ValueError for a line that is no label."""
    if not body or body[0] == _BRACE:
        return NO_LABEL, body
    line, end, rest = body.partition(b"\n")
    if not end:
        raise ValueError("it has no JSON object")
    found: dict[str, Any] = {}
    for word in line.decode("ascii").split(" "):
        match word[:1]:
            case "x":
                found["expires_in_ms" if word[1:2] == "+" else "expires_at_ms"] = int(word[1:])
            case "u":
                found["unique"] = word[1:]
            case "s":
                found["until_start"] = True
            case "b":
                found["member"] = word[1:]
            case "t":
                found["track_ms"] = int(word[1:])
            case "r":
                found["run"] = word[1:]
            case _:
                continue  # a newer version's word, which this one need not know to run the job
    return Label(**found), rest


def with_member(body: bytes, member: str) -> bytes:
    """The body of a job that has become this member of a batch."""
    between = b"\n" if not body or body[0] == _BRACE else b" "
    return b"b" + member.encode() + between + body
