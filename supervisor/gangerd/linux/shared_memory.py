"""Memory that several processes see: files and memfds, mapped page by page, and locks on single bytes.

Knows nothing of what is in the pages (gangerd.recorder does). Used by recorder and board, and for settings
that travel to an exec'd child in a memfd.
"""

import fcntl
import mmap
import os
from pathlib import Path

PAGE_BYTES = mmap.PAGESIZE


def anonymous(name: str, size: int) -> int:
    """A memfd of `size` zero bytes, close-on-exec. `name` shows in /proc/PID/maps only."""
    fd = os.memfd_create(name, os.MFD_CLOEXEC)
    os.ftruncate(fd, size)
    return fd


def create(path: Path, size: int) -> int:
    """A new file of `size` zero bytes that only its owner may read; its descriptor, close-on-exec.

    The space is allocated at once: a full disk is an OSError here, not a SIGBUS in the middle of a job.
    Raises FileExistsError.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        os.posix_fallocate(fd, 0, size)
    except OSError:
        os.close(fd)
        path.unlink(missing_ok=True)
        raise
    return fd


def open_existing(path: Path, *, writable: bool = True) -> int:
    """The descriptor of a file made by `create`, close-on-exec. Raises FileNotFoundError."""
    return os.open(path, (os.O_RDWR if writable else os.O_RDONLY) | os.O_CLOEXEC | os.O_NOFOLLOW)


def map_region(fd: int, offset: int, length: int, *, writable: bool = True) -> mmap.mmap:
    """Map `length` bytes of the file from `offset` on, shared with everybody who maps them.

    Raises ValueError when the offset is not a multiple of PAGE_BYTES or the region is not inside the file
    (reading such a mapping would be a SIGBUS).
    """
    if offset % PAGE_BYTES:
        raise ValueError(f"offset {offset} is not a multiple of {PAGE_BYTES}")
    if length <= 0 or offset < 0 or offset + length > os.fstat(fd).st_size:
        raise ValueError(f"{length} bytes at {offset} are not inside a file of {os.fstat(fd).st_size}")
    access = mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0)
    region = mmap.mmap(fd, length, flags=mmap.MAP_SHARED, prot=access, offset=offset)
    # Read ahead, the rest of a page that one word of is looked at would come into memory, of each worker.
    region.madvise(mmap.MADV_RANDOM)
    return region


def write_all(fd: int, data: bytes) -> None:
    """Make `data` the whole content of the file, from its first byte."""
    os.ftruncate(fd, len(data))
    written = 0
    while written < len(data):
        written += os.pwrite(fd, data[written:], written)


def read_all(fd: int, limit: int = 1 << 24) -> bytes:
    """The whole content (at most `limit` bytes), without moving the offset that other processes share."""
    parts: list[bytes] = []
    offset = 0
    while offset < limit and (part := os.pread(fd, min(1 << 20, limit - offset), offset)):
        parts.append(part)
        offset += len(part)
    return b"".join(parts)


def lock_byte(fd: int, offset: int, *, wait: bool) -> bool:
    """Take the exclusive lock on one byte; False when `wait` is false and another process holds it.

    These are POSIX record locks: they belong to the process, not to the descriptor. Another thread of the
    holder gets the lock too, a forked child does not have it, and **closing any descriptor of this file in
    the holder, a closed mapping's hidden one included, drops them all**. The kernel drops them at death.
    """
    try:
        fcntl.lockf(fd, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB), 1, offset)
    except (BlockingIOError, PermissionError):  # POSIX allows EACCES as well as EAGAIN
        return False
    return True


def unlock_byte(fd: int, offset: int) -> None:
    """Give the lock on one byte back; no error when it was not held."""
    fcntl.lockf(fd, fcntl.LOCK_UN, 1, offset)
