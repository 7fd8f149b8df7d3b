"""The app's manifest, opaque to the master: a memfd that the roles read, and a copy in the run directory.

The copy is for the successor of a killed master: what its predecessor's workers held is settled by the
manifest of then, at once, and not after the seconds in which the app is imported again. If the app has
changed meanwhile, the coordinator that began with the old one is replaced when the template has the new
one."""

import contextlib
import os
from pathlib import Path

from gangerd.linux import shared_memory

_NAME = "manifest.json"


def create(run_dir: Path, *, recall: bool) -> int:
    """The descriptor for the roles: empty, or with what a predecessor knew that left work to do."""
    fd = shared_memory.anonymous("ganger-manifest", 0)
    if recall:
        with contextlib.suppress(OSError):  # none was left: the template's will come
            shared_memory.write_all(fd, (run_dir / _NAME).read_bytes())
    return fd


def renew(fd: int, run_dir: Path, manifest: bytes) -> bool:
    """The template's manifest; True when whoever has read this descriptor has read another one.

    A copy that can't be kept costs a successor its head start, no more."""
    before = shared_memory.read_all(fd)
    if before == manifest:
        return False
    shared_memory.write_all(fd, manifest)
    beside = run_dir / f".{_NAME}.{os.getpid()}"
    try:
        beside.write_bytes(manifest)
        beside.replace(run_dir / _NAME)
    except OSError:
        beside.unlink(missing_ok=True)
    return bool(before)
