"""Memory and time of real processes, and titles."""

import os
from pathlib import Path

from gangerd.linux import proc, processes
from gangerd.linux.title import Title, set_title
from support import children


def test_numbers_of_a_living_and_a_dead_process() -> None:
    usage = proc.Usage()
    reader, writer = os.pipe()

    def body() -> None:
        held = bytearray(50 << 20)
        os.write(writer, b"!")
        children.hang()
        assert held

    with children.child(body) as pid:
        os.read(reader, 1)
        assert (usage.rss_bytes(pid) or 0) > 50 << 20
    assert usage.rss_bytes(pid) is None
    usage.forget(pid)
    usage.forget(pid)
    assert usage.rss_bytes(pid) is None


def test_a_peak_begins_anew() -> None:
    def grow() -> None:
        held = bytearray(100 << 20)
        del held

    def grow_and_reset() -> None:
        grow()
        assert processes.reset_peak_rss()

    grown, reset = (os.wait4(children.fork(body), 0)[2].ru_maxrss for body in (grow, grow_and_reset))
    assert grown - reset > 90 << 10


def title_of_self() -> str:
    return Path("/proc/self/cmdline").read_bytes().rstrip(b"\0").decode()


def test_a_title_changes_at_most_twice_a_second() -> None:
    def body() -> None:
        set_title("ganger: worker 3 [born]")
        assert title_of_self() == "ganger: worker 3 [born]"
        now_s = 100.0
        title = Title("ganger: worker 3", clock=lambda: now_s)
        title.show("[idle]")
        assert title_of_self() == "ganger: worker 3 [idle]"
        title.show("mail.send")
        assert title_of_self() == "ganger: worker 3 [idle]"
        now_s += 0.5
        title.show("mail.send")
        assert title_of_self() == "ganger: worker 3 mail.send"
        title.show("[retiring]", now=True)
        assert title_of_self() == "ganger: worker 3 [retiring]"
        set_title("x")
        title.show("[retiring]", now=True)
        assert title_of_self() == "x", "an unchanged title is not written again"

    assert os.waitpid(children.fork(body), 0)[1] == 0
