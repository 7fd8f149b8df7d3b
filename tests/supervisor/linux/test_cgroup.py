"""Memory fences: a real OOM kill in a v1 leaf where that is possible, real-format files of v2 elsewhere."""

import contextlib
import os
import shutil
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gangerd.linux import cgroup
from gangerd.linux.kmsg import KernelLog
from support import children
from support.waiting import until

FENCE = cgroup.detect()
needs_v1 = [
    pytest.mark.oom,
    pytest.mark.skipif(FENCE.kind != "v1", reason=f"no writable v1 memory cgroup: {FENCE.explanation}"),
]
MIB = 1 << 20


@pytest.fixture
def leaf() -> Iterator[str]:
    path = FENCE.leaf(f"ganger-test-{os.getpid()}", 40 * MIB)
    yield path
    cgroup.kill_leftovers(path)
    until(lambda: cgroup.remove(path), "the leaf is removed")


def run_in(leaf: str, body: object) -> int:
    def joined() -> None:
        cgroup.join(leaf)
        body()  # type: ignore[operator]

    return children.fork(joined)


class TestRealV1:
    pytestmark = needs_v1

    def test_the_kernel_ends_the_one_that_leaks_and_says_so(self, leaf: str) -> None:
        kernel_log = KernelLog()
        assert cgroup.oom_kills(leaf) == 0
        pid = run_in(leaf, lambda: bytearray(200 * MIB))
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
        assert cgroup.oom_kills(leaf) == 1
        peak = cgroup.peak_bytes(leaf)
        assert peak is not None and 30 * MIB < peak <= 40 * MIB
        if kernel_log.available:
            line = kernel_log.oom_line(pid)
            assert line is not None and f"pid={pid}" in line and "CONSTRAINT_MEMCG" in line
            assert kernel_log.oom_line(pid) is None, "each is answered once: pids come again"

    def test_a_kill_by_hand_moves_no_counter(self, leaf: str) -> None:
        reader, writer = os.pipe()

        def body() -> None:
            os.write(writer, b"!")
            children.hang()

        pid = run_in(leaf, body)
        os.read(reader, 1)
        os.kill(pid, signal.SIGKILL)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
        assert cgroup.oom_kills(leaf) == 0
        assert KernelLog().oom_line(pid) is None

    def test_leftovers_are_killed_and_the_leaf_goes(self) -> None:
        path = FENCE.leaf(f"ganger-test-left-{os.getpid()}")
        assert path in FENCE.leaves("ganger-test-left-")
        reader, writer = os.pipe()

        def body() -> None:
            for _ in range(3):
                children.fork(lambda: (os.setsid(), os.write(writer, b"!"), children.hang()))  # type: ignore[func-returns-value]
            os.read(stay_reader, 1)

        stay_reader, stay_writer = os.pipe()
        pid = run_in(path, body)
        assert sum(len(os.read(reader, 1)) for _ in range(3)) == 3
        os.write(stay_writer, b"!")
        assert os.waitpid(pid, 0)[1] == 0
        assert not cgroup.remove(path), "somebody is still in it"
        assert len(cgroup.kill_leftovers(path)) == 3
        until(lambda: cgroup.remove(path), "the leaf is removed")
        assert cgroup.remove(path), "gone already is gone"
        assert cgroup.kill_leftovers(path) == []
        assert cgroup.oom_kills(path) is None and cgroup.peak_bytes(path) is None

    def test_a_job_may_make_groups_below_its_own(self, leaf: str) -> None:
        (Path(leaf) / "below" / "deeper").mkdir(parents=True)
        pid = run_in(str(Path(leaf) / "below" / "deeper"), children.hang)
        until(lambda: cgroup.kill_leftovers(leaf) == [pid] or False, "the process below is found")
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL

    def test_one_that_is_removed_while_it_is_joined_is_gone(self, leaf: str, tmp_path: Path) -> None:
        fd = os.open(f"{leaf}/cgroup.procs", os.O_WRONLY)
        (tmp_path / "cgroup.procs").symlink_to(f"/proc/self/fd/{fd}")
        assert cgroup.remove(leaf)
        for gone in (leaf, str(tmp_path)):
            with pytest.raises(FileNotFoundError):
                cgroup.join(gone)
        os.close(fd)

    def test_names_are_used_once(self, leaf: str) -> None:
        with pytest.raises(FileExistsError):
            FENCE.leaf(Path(leaf).name)

    def test_there_is_nothing_to_prepare(self) -> None:
        assert FENCE.prepare() == FENCE


MEMORY_EVENTS = "low 0\nhigh 0\nmax 41\noom 1\noom_kill 3\noom_group_kill 1\n"


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A process in a delegated v2 group, as the files of a real one look."""
    group = tmp_path / "cgroup" / "system.slice" / "ganger.service"
    group.mkdir(parents=True)
    (group / "cgroup.controllers").write_text("cpuset cpu io memory pids\n")
    (group / "cgroup.subtree_control").write_text("\n")
    (group / "cgroup.procs").write_text(f"{os.getpid()}\n")
    process = tmp_path / "self"
    process.mkdir()
    (process / "cgroup").write_text("0::/system.slice/ganger.service\n")
    (process / "mountinfo").write_text(
        "25 30 0:23 / /proc rw,nosuid shared:12 - proc proc rw\n"
        f"32 25 0:28 / {tmp_path}/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
    )
    return tmp_path


def group_of(machine: Path) -> Path:
    return machine / "cgroup" / "system.slice" / "ganger.service"


def test_v2_is_found_divided_and_filled(machine: Path) -> None:
    fence = cgroup.detect(machine / "self")
    assert (fence.kind, fence.directory) == ("v2", group_of(machine))
    assert fence.prepare() == fence
    assert (group_of(machine) / "master" / "cgroup.procs").read_text() == str(os.getpid())
    assert (group_of(machine) / "cgroup.subtree_control").read_text() in ("+memory", "+pids")
    path = Path(fence.leaf("w-1", None, None))
    for file in ("memory.max", "memory.swap.max", "memory.oom.group", "pids.max"):
        (path / file).write_text("max\n")
    assert fence.leaves("w-") == [str(path)]


def test_v2_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "memory.events").write_text(MEMORY_EVENTS)
    (tmp_path / "memory.peak").write_text("20971520\n")
    (tmp_path / "memory.current").write_text("4096\n")
    leaf = str(tmp_path)
    assert cgroup.oom_kills(leaf) == 3
    assert cgroup.oom_group_kills(leaf) == 1
    assert cgroup.peak_bytes(leaf) == 20971520
    assert cgroup.current_bytes(leaf) == 4096


def test_v2_kills_by_one_word(tmp_path: Path) -> None:
    (tmp_path / "cgroup.kill").write_text("")
    (tmp_path / "cgroup.procs").write_text("")
    assert cgroup.kill_leftovers(str(tmp_path)) == []
    assert (tmp_path / "cgroup.kill").read_text() == "1"


def test_a_container_shows_a_part_of_the_hierarchy(machine: Path) -> None:
    (machine / "self" / "mountinfo").write_text(
        f"32 25 0:28 /system.slice/ganger.service {group_of(machine)} rw - cgroup2 cgroup2 rw\n"
    )
    assert cgroup.detect(machine / "self").directory == group_of(machine)


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("cgroup.controllers", "cpu pids\n", "no memory controller"),
        ("cgroup.procs", f"{os.getpid()}\n{os.getppid()}\n", "processes of others"),
        ("cgroup.procs", "0\n", "processes of others"),
    ],
    ids=["no controller", "another process", "a process outside"],
)
def test_a_group_that_is_not_ours_is_left_alone(machine: Path, file: str, text: str, said: str) -> None:
    (group_of(machine) / file).write_text(text)
    fence = cgroup.detect(machine / "self")
    assert not fence.possible and said in fence.explanation
    assert fence.prepare() == fence and fence.leaves("") == []
    with pytest.raises(OSError, match=said):
        fence.leaf("w")


def test_no_cgroups_at_all(tmp_path: Path) -> None:
    assert "no memory cgroups" in cgroup.detect(tmp_path).explanation


def test_v1_is_taken_when_v2_has_no_memory_controller(machine: Path) -> None:
    (group_of(machine) / "cgroup.controllers").write_text("hugetlb\n")
    memory = machine / "memory" / "docker" / "abc"
    memory.mkdir(parents=True)
    (memory / "memory.limit_in_bytes").write_text("9223372036854771712\n")
    with (machine / "self" / "cgroup").open("a") as file:
        file.write("4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n")
    with (machine / "self" / "mountinfo").open("a") as file:
        file.write(f"33 25 0:29 / {machine}/memory rw - cgroup cgroup rw,memory\n")
    assert cgroup.detect(machine / "self").directory == memory


def test_a_leaf_that_its_own_master_removes_meanwhile_is_nobodys_trouble(tmp_path: Path) -> None:
    def come_and_go(over: threading.Event) -> None:
        while not over.is_set():
            with contextlib.suppress(OSError):  # of which the other one has removed a part
                (tmp_path / "leaf/below/deep").mkdir(parents=True, exist_ok=True)
            shutil.rmtree(tmp_path / "leaf", ignore_errors=True)

    over = threading.Event()
    other = threading.Thread(target=come_and_go, args=(over,))
    other.start()
    try:
        for _ in range(2000):
            assert cgroup.members(str(tmp_path / "leaf")) == []
            cgroup.remove(str(tmp_path / "leaf"))
    finally:
        over.set()
        other.join()
