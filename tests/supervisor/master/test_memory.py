"""memory.py by tables, memory_watch.py and fence.py on real processes."""

import ctypes
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gangerd.linux import cgroup
from gangerd.linux.container import Container, Room
from gangerd.master import memory
from gangerd.master.fence import Fence
from gangerd.master.memory import Growth, biggest_grower, limit_of, reserve_of
from gangerd.master.memory_alarm import Alarm
from gangerd.master.memory_watch import EVERY_NS, VICTIM_WAIT_NS, MemoryWatch
from support.puppets import Script, Stage, Strings, stage, until

MB = 1 << 20


def fed(baseline: int, *samples: tuple[int, int, int]) -> tuple[Growth, list[bool]]:
    """Samples are (run, RSS in MB, limit in MB)."""
    growth = memory.born(baseline * MB)
    return growth, [growth.sample(run, rss * MB, limit * MB) for run, rss, limit in samples]


def test_growth_counts_from_the_warm_worker() -> None:
    growth, over = fed(100, (1, 120, 50), (1, 150, 50), (1, 151, 50))
    assert over == [False, False, True]
    assert growth.peak == 151 * MB and growth.of_run == 51 * MB


def test_idle_workers_and_runs_without_a_limit_are_never_over() -> None:
    assert fed(100, (0, 900, 50), (0, 900, 50))[1] == [False, False]
    assert fed(100, (1, 900, 0))[1] == [False]


def test_the_peak_is_the_runs_own() -> None:
    growth, _ = fed(100, (1, 300, 0), (1, 250, 0), (2, 120, 0), (2, 130, 0))
    assert growth.peak == 130 * MB
    growth.sample(0, 500 * MB, 0)
    assert growth.peak == 0


def test_a_small_job_does_not_die_for_the_big_one_before_it() -> None:
    big_left = ((1, 180, 100), (0, 180, 100))  # run 1 stayed within its limit; 80 MB of it stay
    growth, over = fed(100, *big_left, (2, 201, 100), (2, 280, 100), (2, 281, 100))
    assert over == [False, False, False, False, True]  # its own growth is what counts: more than 100 over 180
    assert growth.burdened
    growth, over = fed(100, (1, 140, 100), (2, 199, 100), (2, 201, 100))
    assert over == [False, False, True] and not growth.burdened  # half the limit or less: counted in


def test_oom_kills_of_earlier_runs_are_known() -> None:
    growth = memory.born(0)
    for run, kills in ((1, 0), (1, 1), (2, 1), (2, 2)):
        growth.sample(run, 0, 0, kills)
    assert (growth.kills_carried, growth.kills_last) == (1, 2)
    growth.sample(0, 0, 0, 2)
    assert growth.kills_carried == 2


def test_the_smaller_limit_is_in_force() -> None:
    assert [limit_of(*pair) for pair in ((0, None), (5, None), (0, 7), (5, 7), (9, 7))] == [0, 5, 7, 5, 7]


def test_the_biggest_grower_is_a_run_and_only_when_room_is_short() -> None:
    small, _ = fed(100, (1, 150, 0))
    big, _ = fed(300, (4, 390, 0))
    idle, _ = fed(100, (3, 900, 0), (0, 900, 0))
    crowd = [("small", small), ("big", big), ("idle", idle)]
    assert biggest_grower(crowd, 1000 * MB, 50 * MB) is None
    assert biggest_grower(crowd, 1000 * MB, 49 * MB) == "big"
    assert biggest_grower(crowd[:1], 1000 * MB, 0) == "small"
    assert biggest_grower(crowd, 2000 * MB, 0) is None  # what ends would not make the room that is wanted
    assert biggest_grower([("idle", idle)], 1000 * MB, 0) is None
    assert biggest_grower([], 1000 * MB, 0) is None
    assert [reserve_of(limit * MB) // MB for limit in (10, 1000, 100_000)] == [16, 50, 256]


def test_a_run_comes_near_its_limit_once() -> None:
    growth, _ = fed(100, (1, 179, 100))
    assert not growth.comes_near()
    growth.sample(1, 180 * MB, 100 * MB)
    assert growth.comes_near() and not growth.comes_near()
    growth.sample(2, 185 * MB, 100 * MB)  # 80 MB are its predecessor's: counted from there
    assert not growth.comes_near()
    assert not fed(100, (1, 900, 0))[0].comes_near()


def test_what_ended_runs_left_is_not_what_one_used_in_between() -> None:
    assert fed(100, (1, 900, 0), (0, 130, 0))[0].left == 30 * MB
    assert fed(100, (1, 900, 0), (2, 140, 0))[0].left == 40 * MB
    assert fed(100, (1, 130, 0), (2, 900, 0))[0].left == 30 * MB
    assert fed(100, (1, 90, 0))[0].left == 0


def test_a_line_a_minute_for_each_type_and_every_run_is_counted() -> None:
    alarm, second = Alarm(), 1_000_000_000
    assert alarm.raised("a", 0) == 0
    assert alarm.raised("a", 59 * second) is None and alarm.raised("b", 59 * second) == 0
    assert alarm.raised("a", 59 * second) is None
    assert alarm.raised("a", 60 * second) == 2
    assert alarm.total == 5


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Stage]:
    with stage(tmp_path, slots=2) as made:
        yield made


def eater(limit: int) -> Script:
    """Waits for leave to eat 60 MB in its run, tells when it has, and holds them."""

    def script(strings: Strings) -> None:
        strings.run(0, 0, memory_bytes=limit)
        strings.ready()
        until(lambda: strings.journal[2] == 1)
        kept = bytearray(b"x" * (60 * MB))
        strings.journal[3] = len(kept)
        time.sleep(60)

    return script


def test_the_one_that_eats_is_found(scene: Stage) -> None:
    eats, allowed = scene.fork(0, eater(30 * MB)), scene.fork(1, eater(500 * MB))
    workers, watch = [eats, allowed], MemoryWatch(scene.recorder.seats, None)
    for child in workers:
        watch.born(child, 0)
    assert watch.tick(workers, 0) == []
    for slot in (0, 1):
        scene.journals[slot][2] = 1
        until(lambda: scene.journals[slot][3] > 0)  # noqa: B023
    assert watch.tick(workers, EVERY_NS - 1) == []  # not yet time
    assert watch.tick(workers, EVERY_NS) == [eats]
    assert watch.reason(eats.incarnation).endswith("its limit is 30 MB.")
    assert watch.reason(allowed.incarnation) == ""
    for child in workers:
        peak = watch.peak_bytes(child.incarnation)
        assert peak == watch.rss_bytes(child.incarnation) > 60 * MB
        assert watch.peak_bytes(child.incarnation, 1) == peak and watch.peak_bytes(child.incarnation, 2) == 0
    os.kill(eats.pid, signal.SIGKILL)
    scene.reap(0)
    assert watch.tick(workers, 2 * EVERY_NS) == []
    watch.forget(eats.incarnation)
    assert watch.peak_bytes(eats.incarnation) == watch.rss_bytes(eats.incarnation) == 0


def test_one_limit_for_every_worker(scene: Stage) -> None:
    child, watch = scene.fork(0, eater(0)), MemoryWatch(scene.recorder.seats, 30 * MB)
    watch.born(child, 0)
    scene.journals[0][2] = 1
    until(lambda: scene.journals[0][3] > 0)
    assert watch.tick([child], 0) == [child]


def test_who_comes_near_is_told_of(scene: Stage) -> None:
    child, watch = scene.fork(0, eater(70 * MB)), MemoryWatch(scene.recorder.seats, None)
    watch.born(child, 0)
    scene.journals[0][2] = 1
    until(lambda: scene.journals[0][3] > 0)
    assert watch.tick([child], 0) == [] and watch.tick([child], EVERY_NS) == []
    assert watch.alarm.total == 1


def test_without_fences_one_makes_room_and_its_end_is_waited_for(scene: Stage, tmp_path: Path) -> None:
    group = tmp_path / "group"
    group.mkdir()
    (group / "memory.max").write_text(str(100 * MB))
    (group / "memory.current").write_text(str(99 * MB))
    (group / "memory.stat").write_text(f"anon 5\ninactive_file {40 * MB}\n")
    children = [scene.fork(slot, eater(0)) for slot in (0, 1)]
    watch = MemoryWatch(scene.recorder.seats, None, Container([group]))
    for child in children:
        watch.born(child, 0)
    scene.journals[1][2] = 1
    until(lambda: scene.journals[1][3] > 0)
    assert watch.tick(children, 0) == []  # the page cache is to be had
    (group / "memory.stat").write_text(f"anon 5\ninactive_file {10 * MB}\n")
    assert watch.tick(children, EVERY_NS) == [children[1]]
    assert "100 MB for all workers together had 11 MB left" in watch.reason(children[1].incarnation)
    assert watch.tick(children, 2 * EVERY_NS) == []
    assert watch.tick(children, EVERY_NS + VICTIM_WAIT_NS) == [children[1]]


def test_limits_of_containers_are_read_and_none_is_no_limit(tmp_path: Path) -> None:
    v2, v1, free = (tmp_path / name for name in ("v2", "v1", "free"))
    for directory in (v2, v1, free):
        directory.mkdir()
    (v2 / "memory.max").write_text("max\n")
    (v2 / "memory.current").write_text("5\n")
    (v1 / "memory.limit_in_bytes").write_text(f"{64 * MB}\n")
    (v1 / "memory.usage_in_bytes").write_text(f"{60 * MB}\n")
    (free / "memory.limit_in_bytes").write_text("9223372036854771712\n")
    (free / "memory.usage_in_bytes").write_text("5\n")
    assert Container([v2, free, tmp_path]).room() is None
    assert Container([v2, v1]).room() == Room(64 * MB, 4 * MB)
    Container().room()


@pytest.fixture
def fence() -> Iterator[Fence]:
    if cgroup.detect().kind != "v1":  # v2 moves this process into a leaf: not in a test run
        pytest.skip("needs a writable memory cgroup (v1) of its own")
    made = Fence("00000000000000aa", 64 * MB)
    yield made
    made.close()


def test_a_leaf_is_made_joined_and_removed(scene: Stage, fence: Fence) -> None:
    assert fence.kind == "cgroup1"
    leaf = fence.leaf("0000000000000001")
    assert Path(leaf).is_dir() and cgroup.oom_kills(leaf) == 0
    assert fence.leaf("0000000000000001") == ""  # the name is taken: no leaf, no exception

    def joins(strings: Strings) -> None:
        cgroup.join(leaf)
        strings.ready()
        ctypes.CDLL(None).pause()

    child = scene.fork(0, joins)
    fence.remove(leaf)
    assert Path(leaf).is_dir()  # somebody is in it
    os.kill(child.pid, signal.SIGKILL)
    scene.reap(0)
    fence.remove("")  # the next burial, of a worker without a leaf
    assert not Path(leaf).exists()


def test_leaves_of_killed_masters_are_swept_and_those_of_the_living_stay(fence: Fence) -> None:
    ours = fence.leaf("0000000000000002")
    pid = os.fork()
    if pid == 0:
        os._exit(0 if Fence("00000000000000bb", None).leaf("0000000000000003") else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    orphans = sorted(Path(ours).parent.glob("ganger-*00000000000000bb*"))
    assert len(orphans) == 1
    Fence("00000000000000cc", None)
    assert not orphans[0].exists() and Path(ours).exists()
