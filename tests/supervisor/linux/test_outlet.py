"""The never blocking output, against pipes and sockets that nobody reads."""

import fcntl
import os
import resource
import signal
import socket
import threading
import time

import pytest

from gangerd.linux.outlet import Outlet
from support import children
from support.waiting import until


def full_pipe() -> tuple[int, int, int]:
    """A pipe filled to the brim: reader, writer, bytes in it. The writer is blocking, as inherited."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    filled = 0
    try:
        while True:
            filled += os.write(writer, b"x" * 512)
    except BlockingIOError:
        os.set_blocking(writer, True)
    return reader, writer, filled


def drain(reader: int, count: int) -> None:
    while count:
        count -= len(os.read(reader, count))


def tell(count: int) -> bytes:
    return b"lost %d\n" % count


@pytest.mark.parametrize("threaded", [True, False])
def test_a_pipe_nobody_reads_never_blocks_and_the_loss_is_told(threaded: bool) -> None:
    reader, writer, filled = full_pipe()
    outlet = Outlet(writer, threaded=threaded, lines=100, tell_dropped=tell)
    slowest_s = 0.0
    for number in range(1000):
        before_s = time.monotonic()
        outlet.write(b"line %d\n" % number)
        slowest_s = max(slowest_s, time.monotonic() - before_s)
    assert slowest_s < 2.0
    assert not outlet.flush(0.01)
    assert 899 <= outlet.dropped <= 900
    drain(reader, filled)
    assert outlet.flush(5)
    lines = os.read(reader, 1 << 16).decode().splitlines()
    told = [line for line in lines if line.startswith("lost ")]
    assert told == [f"lost {outlet.dropped}"]
    kept = [line for line in lines if line not in told]
    # The writer takes one line off the ring, to wait with it, whenever it first runs: room for one more.
    assert kept[:100] == [f"line {number}" for number in range(100)]
    later = [f"line {number}" for number in range(100, 1000)]
    assert len(kept) == 1000 - outlet.dropped and set(kept[100:]) <= set(later)
    outlet.write(b"goes on\n")
    assert outlet.flush(5) and os.read(reader, 100) == b"goes on\n"
    assert os.get_blocking(writer), "the shared descriptor's flags are not ours to change"


def test_a_socket_nobody_reads_never_blocks_inline() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    outlet = Outlet(ours.fileno(), threaded=False, lines=10)
    for _ in range(1000):
        outlet.write(b"x" * 4000 + b"\n")
    assert outlet.dropped > 0 and not outlet.flush(0)
    theirs.close()
    outlet.write(b"to nobody\n")
    assert outlet.flush(1), "what can't be written any more is given up"


@pytest.mark.parametrize("threaded", [True, False])
def test_a_long_line_arrives_whole(threaded: bool) -> None:
    reader, writer = os.pipe()
    outlet = Outlet(writer, threaded=threaded)
    line = b"y" * 200_000 + b"\n"
    received = bytearray()

    def read() -> None:
        while len(received) < len(line):
            received.extend(os.read(reader, 1 << 16))

    thread = threading.Thread(target=read)
    thread.start()
    outlet.write(line)
    assert outlet.flush(10)
    thread.join(10)
    assert bytes(received) == line


def test_the_thread_stops_for_a_fork_unless_it_hangs() -> None:
    reader, writer = os.pipe()
    outlet = Outlet(writer)
    before = threading.active_count()
    outlet.write(b"one\n")
    assert threading.active_count() == before + 1
    assert outlet.stop_thread(5)
    assert threading.active_count() == before
    outlet.write(b"two\n")
    assert os.read(reader, 100) == b"one\ntwo\n"

    reader, writer, filled = full_pipe()
    outlet = Outlet(writer)
    outlet.write(b"stuck\n")
    assert not outlet.stop_thread(0.05)
    drain(reader, filled)
    assert outlet.flush(5) and os.read(reader, 100) == b"stuck\n"
    assert outlet.stop_thread(5)


def test_a_child_forked_amid_writing_writes_its_own_lines_only() -> None:
    reader, writer, filled = full_pipe()
    outlet = Outlet(writer, tell_dropped=tell)
    for number in range(50):
        outlet.write(b"parent %d\n" % number)

    stop = threading.Event()

    def hammer() -> None:
        while not stop.is_set():
            outlet.write(b"parent\n")

    thread = threading.Thread(target=hammer)
    thread.start()
    own_reader, own_writer = os.pipe()

    def child() -> None:
        os.dup2(own_writer, writer)
        outlet.after_fork()
        outlet.write(b"child\n")
        assert outlet.flush(5) and outlet.dropped == 0
        assert threading.active_count() == 1

    pids = [children.fork(child) for _ in range(20)]
    statuses = [os.waitpid(pid, 0)[1] for pid in pids]
    stop.set()
    thread.join()
    assert statuses == [0] * 20
    assert os.read(own_reader, 1 << 16) == b"child\n" * 20
    os.close(reader)
    assert outlet.flush(20), "a reader that went away ends the backlog"
    assert filled


def test_a_signal_handler_may_write_too() -> None:
    reader, writer = os.pipe()
    outlet = Outlet(writer, threaded=False)

    def body() -> None:
        signal.signal(signal.SIGALRM, lambda *_: outlet.write(b"s\n"))
        signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
        for _ in range(3000):
            outlet.write(b"w\n")
        signal.setitimer(signal.ITIMER_REAL, 0)

    pid = children.fork(body)
    os.close(writer)
    received = b""
    while data := os.read(reader, 1 << 16):
        received += data
    assert os.waitpid(pid, 0)[1] == 0
    assert received.count(b"w\n") == 3000


def test_a_lasting_flood_is_told_before_it_ends() -> None:
    reader, writer = os.pipe()
    outlet = Outlet(writer, lines=10, tell_dropped=tell)
    stop = threading.Event()
    received: list[bytes] = []

    def slow_reader() -> None:
        while data := os.read(reader, 200):
            received.append(data)
            stop.wait(0.001)

    thread = threading.Thread(target=slow_reader)
    thread.start()

    def flood() -> bool:
        for _ in range(200):
            outlet.write(b"flood\n")
        return b"lost " in b"".join(received)

    until(flood, "the loss is told")
    stop.set()
    os.close(writer)
    outlet.flush(5)
    thread.join(10)


@pytest.mark.parametrize("threaded", [True, False])
def test_a_descriptor_beyond_the_first_1024_is_waited_for_as_well(threaded: bool) -> None:
    def body() -> None:
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(2048, hard), hard))
        reader, writer, filled = full_pipe()
        high = fcntl.fcntl(writer, fcntl.F_DUPFD_CLOEXEC, 1500)
        os.set_blocking(high, False)
        outlet = Outlet(high, threaded=threaded, lines=10)
        outlet.write(b"line\n")
        assert not outlet.flush(0.05)
        drain(reader, filled)
        assert outlet.flush(5) and os.read(reader, 100) == b"line\n"

    assert os.waitstatus_to_exitcode(os.waitpid(children.fork(body), 0)[1]) == 0
