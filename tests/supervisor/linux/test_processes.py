"""Processes and their identity, on real ones."""

import os
import resource
import signal
from pathlib import Path

from gangerd.linux import processes
from support import children
from support.waiting import until


def passes(pid: int) -> bool:
    return os.waitpid(pid, 0)[1] == 0


def test_an_identity_ends_with_its_process() -> None:
    with children.child(children.hang) as pid:
        started = processes.start_time(pid)
        assert started is not None and started > (processes.start_time(1) or 0)
        assert processes.is_alive(pid, started)
        assert not processes.is_alive(pid, started + 1), "another process with the same number"
        os.kill(pid, signal.SIGKILL)
        until(lambda: not processes.is_alive(pid, started), "the zombie counts as dead")
        assert processes.start_time(pid) == started, "it is still a zombie"
        os.waitpid(pid, 0)
        assert processes.start_time(pid) is None and not processes.is_alive(pid, started)


def test_a_name_with_brackets_does_not_confuse() -> None:
    def body() -> None:
        Path("/proc/self/comm").write_text("a) Z 1 (b")
        started = processes.start_time(os.getpid())
        assert started is not None and processes.is_alive(os.getpid(), started)

    assert passes(children.fork(body))


def test_the_child_dies_with_its_parent() -> None:
    reader, writer = os.pipe()

    def parent() -> None:
        me = os.getpid()

        def grandchild() -> None:
            assert processes.die_with_parent(me)
            os.write(writer, b"%d" % os.getpid())
            children.hang()

        children.fork(grandchild)
        children.hang()

    with children.child(parent) as pid:
        grandchild_pid = int(os.read(reader, 100))
        started = processes.start_time(grandchild_pid)
        assert started is not None
        os.kill(pid, signal.SIGKILL)
        until(lambda: not processes.is_alive(grandchild_pid, started), "the grandchild died too")


def test_a_parent_that_is_gone_already_is_told() -> None:
    def body() -> None:
        assert not processes.die_with_parent(1)

    assert passes(children.fork(body))


def test_what_a_session_leader_leaves_behind_is_found() -> None:
    reader, writer = os.pipe()

    def leader() -> None:
        os.setsid()
        os.write(writer, b"%d\n" % children.fork(children.hang))
        children.hang()

    with children.child(leader) as pid:
        left = int(os.read(reader, 100))
        assert set(processes.session_members(pid)) == {pid, left}
        os.kill(pid, signal.SIGKILL)
        until(lambda: processes.session_members(pid) == [left], "only the leftover lives")
        os.kill(left, signal.SIGKILL)


def test_weight_and_limits() -> None:
    def body() -> None:
        assert processes.set_oom_score_adj(500)
        assert Path("/proc/self/oom_score_adj").read_text().strip() == "500"
        assert not processes.set_oom_score_adj(5000)
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, hard))
        assert processes.raise_nofile() == hard == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        assert not processes.is_uninterruptible(os.getpid())

    assert passes(children.fork(body))
