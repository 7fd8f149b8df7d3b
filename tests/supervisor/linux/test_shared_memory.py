"""Shared pages and byte locks, between real processes."""

import mmap
import os
import resource
import signal
from pathlib import Path

import pytest

from gangerd.linux import shared_memory
from gangerd.linux.shared_memory import PAGE_BYTES
from support import children


def test_two_processes_see_one_page_and_not_its_neighbour(tmp_path: Path) -> None:
    path = tmp_path / "pages"
    fd = shared_memory.create(path, 3 * PAGE_BYTES)
    ours = shared_memory.map_region(fd, PAGE_BYTES, PAGE_BYTES)

    def write() -> None:
        other = shared_memory.map_region(shared_memory.open_existing(path), PAGE_BYTES, PAGE_BYTES)
        other[:4] = b"mine"

    with children.child(write) as pid:
        os.waitpid(pid, 0)
    assert ours[:4] == b"mine"
    assert os.pread(fd, 4, 0) == bytes(4) and os.pread(fd, 4, 2 * PAGE_BYTES) == bytes(4)
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        shared_memory.create(path, PAGE_BYTES)
    ours.close()
    os.close(fd)


def test_a_read_only_mapping_cannot_be_written(tmp_path: Path) -> None:
    shared_memory.create(tmp_path / "pages", PAGE_BYTES)
    fd = shared_memory.open_existing(tmp_path / "pages", writable=False)
    view = shared_memory.map_region(fd, 0, PAGE_BYTES, writable=False)
    with pytest.raises(TypeError):
        view[0] = 1
    with pytest.raises(OSError):
        shared_memory.map_region(fd, 0, PAGE_BYTES)


@pytest.mark.parametrize(("offset", "length"), [(1, 10), (PAGE_BYTES, 1), (0, PAGE_BYTES + 1), (0, 0)])
def test_regions_outside_the_file_are_refused(offset: int, length: int) -> None:
    fd = shared_memory.anonymous("small", PAGE_BYTES)
    with pytest.raises(ValueError):
        shared_memory.map_region(fd, offset, length)
    os.close(fd)


def test_a_full_disk_is_found_at_the_start(tmp_path: Path) -> None:
    def body() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (PAGE_BYTES, resource.RLIM_INFINITY))
        with pytest.raises(OSError):
            shared_memory.create(tmp_path / "pages", 2 * PAGE_BYTES)
        assert not (tmp_path / "pages").exists()

    assert os.waitstatus_to_exitcode(os.waitpid(children.fork(body), 0)[1]) == 0


def test_a_memfd_keeps_its_content_and_its_shared_offset_unmoved() -> None:
    fd = shared_memory.anonymous("settings", 0)
    shared_memory.write_all(fd, b"x" * 3_000_000)
    shared_memory.write_all(fd, b'{"a": 1}')
    assert shared_memory.read_all(fd) == b'{"a": 1}' == shared_memory.read_all(fd)
    assert os.lseek(fd, 0, os.SEEK_CUR) == 0
    assert not os.get_inheritable(fd)
    os.close(fd)


def test_one_byte_is_locked_by_one_process_and_freed_by_its_death(tmp_path: Path) -> None:
    path = tmp_path / "pages"
    fd = shared_memory.create(path, PAGE_BYTES)
    ready_reader, ready_writer = os.pipe()

    def hold() -> None:
        own = shared_memory.open_existing(path)
        assert shared_memory.lock_byte(own, 7, wait=False)
        os.write(ready_writer, b"!")
        children.hang()

    with children.child(hold) as pid:
        assert children.readable(ready_reader)
        assert not shared_memory.lock_byte(fd, 7, wait=False)
        assert shared_memory.lock_byte(fd, 8, wait=False), "a neighbour's byte is free"
        os.kill(pid, 9)
        assert shared_memory.lock_byte(fd, 7, wait=True), "the kernel frees a dead holder's lock"
    shared_memory.unlock_byte(fd, 7)
    os.close(fd)


def test_a_lock_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "pages"
    fd = shared_memory.create(path, PAGE_BYTES)
    assert shared_memory.lock_byte(fd, 0, wait=True)
    said_reader, said_writer = os.pipe()

    def waiter() -> None:
        own = shared_memory.open_existing(path)
        os.write(said_writer, b"w" if not shared_memory.lock_byte(own, 0, wait=False) else b"?")
        shared_memory.lock_byte(own, 0, wait=True)
        os.write(said_writer, b"g")

    with children.child(waiter):
        assert os.read(said_reader, 1) == b"w"
        assert not children.readable(said_reader, 0.05)
        shared_memory.unlock_byte(fd, 0)
        assert os.read(said_reader, 1) == b"g"
    os.close(fd)


def test_closing_a_mapping_drops_the_locks_of_its_file(tmp_path: Path) -> None:
    """The trap the docstring warns of, as it is: Python's mmap holds a hidden descriptor."""
    path = tmp_path / "pages"
    fd = shared_memory.create(path, PAGE_BYTES)
    assert shared_memory.lock_byte(fd, 0, wait=False)
    mmap_object: mmap.mmap = shared_memory.map_region(fd, 0, PAGE_BYTES)
    mmap_object.close()

    def take() -> None:
        assert shared_memory.lock_byte(shared_memory.open_existing(path), 0, wait=False)

    assert os.waitpid(children.fork(take), 0)[1] == 0
    os.close(fd)
