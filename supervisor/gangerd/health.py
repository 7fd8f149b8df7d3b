"""Is this host's ganger well? Two answers from what its processes stamp into the recorder.

`live`: a job that were pushed now would be taken. `ready`: the start is over and no end has begun. A view of
the recorder and an instant go in, the answers and the reasons come out; `look` makes a view from an open
recorder, only reading. It asks neither Redis nor any process. Used by `ganger health` and by the role that
serves the answers.
"""

import os
import struct
from pathlib import Path

import msgspec

from gangerd.linux import processes
from gangerd.recorder import HEADER_BYTES, MAGIC, Control, HeaderWord, Phase, Word, page_offset

SECOND = 1_000_000_000
MASTER_S = 5.0
"""The master stamps twice a second at least."""
COORDINATOR_S = 5.0
"""As long as the master waits before it replaces one."""
RENEWED_S = 10.0
"""As long as workers go on claiming."""
MOST_SLOTS = 4096
_CAN_CLAIM = (Phase.IDLE, Phase.CLAIMING, Phase.RUNNING, Phase.SETTLING)
_HEADER = struct.Struct(f"<{max(HeaderWord) + 1}Q")
_PAGE = struct.Struct(f"<{Word.CONTROL + 1}Q")


class View(msgspec.Struct, frozen=True):
    """What stands in the recorder: instants in monotonic ns, 0 for never."""

    master_at_ns: int
    serving: bool
    coordinator_at_ns: int
    renewed_at_ns: int
    workers: int
    """Those that may claim, busy or not."""


class Health(msgspec.Struct, frozen=True):
    live: bool
    ready: bool
    reasons: list[str]
    """Why not, a sentence each; empty when it is well."""
    workers: int

    def is_well(self, *asked: str) -> bool:
        """Whether each of these (`live`, `ready`) is so."""
        return all(getattr(self, one) for one in asked)


def judge(view: View | None, now_ns: int) -> Health:
    """None: there is no master."""
    if view is None:
        return Health(False, False, ["no master runs here"], 0)
    if (age := _age_s(view.master_at_ns, now_ns)) > MASTER_S:
        return Health(False, False, [f"the master has given no sign of life for {age:.0f} s"], 0)
    reasons = []
    if not view.serving:
        reasons.append("the service is starting or ending")
    if view.workers == 0:
        reasons.append("no worker may take a job")
    if not view.coordinator_at_ns:
        reasons.append("the coordinator has not started")
    elif (age := _age_s(view.coordinator_at_ns, now_ns)) > COORDINATOR_S:
        reasons.append(f"the coordinator has given no sign of life for {age:.0f} s")
    elif not view.renewed_at_ns:
        reasons.append("Redis has not been reached yet")
    elif (age := _age_s(view.renewed_at_ns, now_ns)) > RENEWED_S:
        reasons.append(f"Redis was last reached, and leases renewed, {age:.0f} s ago")
    return Health(not reasons, view.serving, reasons, view.workers)


def _age_s(stamp_ns: int, now_ns: int) -> float:
    return (now_ns - stamp_ns) / SECOND if stamp_ns else float("inf")


def look(fd: int) -> View | None:
    """What this recorder shows now; None for one that is none. Raises OSError."""
    header = os.pread(fd, HEADER_BYTES, 0)
    if len(header) < HEADER_BYTES:
        return None
    words = _HEADER.unpack_from(header)
    if words[HeaderWord.MAGIC] != MAGIC:
        return None
    slots = min(words[HeaderWord.SLOTS], MOST_SLOTS)
    return View(
        master_at_ns=words[HeaderWord.MASTER_AT_NS],
        serving=bool(words[HeaderWord.SERVING]),
        coordinator_at_ns=words[HeaderWord.COORDINATOR_AT_NS],
        renewed_at_ns=words[HeaderWord.RENEWED_AT_NS],
        workers=sum(_may_claim(fd, slot) for slot in range(slots)),
    )


def _may_claim(fd: int, slot: int) -> bool:
    page = os.pread(fd, _PAGE.size, page_offset(slot))
    if len(page) < _PAGE.size:
        return False
    words = _PAGE.unpack(page)
    control = words[Word.CONTROL]
    retires = bool(control & Control.RETIRE) or not control & Control.MAY_CLAIM
    return words[Word.MAGIC] == MAGIC and words[Word.PHASE] in _CAN_CLAIM and not retires


def find(run_dir: Path) -> View | None:
    """What the living master of this directory shows; None where there is none. Raises OSError where it may
    not be read."""
    for path in run_dir.glob("recorder-*"):
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            words = _HEADER.unpack(os.pread(fd, _HEADER.size, 0).ljust(_HEADER.size, b"\0"))
            pid, started = words[HeaderWord.MASTER_PID], words[HeaderWord.MASTER_STARTED]
            if pid and processes.is_alive(pid, started):
                return look(fd)
        finally:
            os.close(fd)
    return None
