"""What the kernel allows a job: real leaves of v1 where they can be had, files of v2; peaks and OOM kills of
each run."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gangerd.linux import cgroup, cgroup_leaf
from gangerd.linux.leaf_files import LeafFiles
from gangerd.worker.allowance import NOTHING, Allowance
from support import children
from support.waiting import until

FENCE = cgroup.detect()
MB = 1 << 20
needs_v1 = [
    pytest.mark.oom,
    pytest.mark.skipif(FENCE.kind != "v1", reason=f"no writable v1 memory cgroup: {FENCE.explanation}"),
]


@pytest.fixture
def leaf() -> Iterator[str]:
    path = FENCE.leaf(f"ganger-test-allowance-{os.getpid()}")
    yield path
    cgroup.kill_leftovers(path)
    until(lambda: cgroup.remove(path), "the leaf is removed")


def status_of(leaf: str, body: object) -> int:
    def joined() -> None:
        cgroup.join(leaf)
        body()  # type: ignore[operator]

    return os.waitstatus_to_exitcode(os.waitpid(children.fork(joined), 0)[1])


def limit_of(leaf: str) -> int:
    return int(Path(leaf, "memory.limit_in_bytes").read_text())


class TestRealV1:
    pytestmark = needs_v1

    def test_a_job_may_add_so_much_and_the_next_one_its_own(self, leaf: str) -> None:
        def body() -> None:
            memory = Allowance(leaf)
            unlimited = limit_of(leaf)
            memory.grant(32 * MB)
            assert 32 * MB <= limit_of(leaf) < 40 * MB
            held = [bytearray(b"x") * (24 * MB)]
            memory.take_back()
            assert limit_of(leaf) == unlimited
            memory.grant(200 * MB)
            assert 200 * MB <= limit_of(leaf) < 210 * MB
            held.append(bytearray(b"x") * (100 * MB))
            memory.take_back()
            memory.grant(32 * MB)  # what is held is more than half of that: on top of it
            assert 150 * MB < limit_of(leaf) < 170 * MB
            memory.take_back()

        assert status_of(leaf, body) == 0
        assert cgroup.oom_kills(leaf) == 0

    def test_over_it_the_kernel_ends_the_process_and_counts(self, leaf: str) -> None:
        def body() -> None:
            Allowance(leaf).grant(32 * MB)
            assert bytearray(b"x") * (100 * MB)

        assert status_of(leaf, body) == -signal.SIGKILL
        assert cgroup.oom_kills(leaf) == 1

    def test_the_workers_own_limit_remains_the_most(self, leaf: str) -> None:
        cgroup_leaf.set_memory_max(Path(leaf), 64 * MB)

        def body() -> None:
            memory = Allowance(leaf, 64 * MB)
            memory.grant(500 * MB)
            assert limit_of(leaf) == 64 * MB
            memory.grant(16 * MB)
            assert limit_of(leaf) < 24 * MB
            memory.take_back()
            assert limit_of(leaf) == 64 * MB

        assert status_of(leaf, body) == 0

    def test_a_worker_that_has_imported_the_app_is_limited_above_that(self, leaf: str) -> None:
        def body() -> None:
            app = bytearray(b"x") * (50 * MB)
            memory = Allowance(leaf, 32 * MB, above_warm=True)
            assert 82 * MB <= limit_of(leaf) < 90 * MB
            memory.grant(16 * MB)
            assert 66 * MB <= limit_of(leaf) < 74 * MB
            memory.take_back()
            assert 82 * MB <= limit_of(leaf) < 90 * MB and app

        assert status_of(leaf, body) == 0

    def test_a_child_that_the_kernel_took_is_evidence_for_this_failure_alone(self, leaf: str) -> None:
        def body() -> None:
            memory = Allowance(leaf)
            memory.grant(200 * MB)  # more than this process shows, or the kernel would take it instead
            eater = "open('/proc/self/oom_score_adj', 'w').write('1000'); x = b'x' * (300 << 20)"
            assert subprocess.run([sys.executable, "-c", eater], check=False).returncode == -signal.SIGKILL
            memory.take_back()
            assert "perhaps a child of the job" in memory.told().evidence
            assert memory.told().evidence == ""

        assert status_of(leaf, body) == 0


def test_v2_is_limited_with_swap_and_both_are_put_back(tmp_path: Path) -> None:
    files = {"memory.current": f"{10 * MB}\n", "memory.max": "max\n", "memory.swap.max": "max\n"}
    for name, text in {**files, "memory.events": "low 0\noom 3\noom_kill 2\n"}.items():
        (tmp_path / name).write_text(text)

    def said(name: str) -> str:
        return (tmp_path / name).read_text().split("\n")[0][:9]

    memory = Allowance(str(tmp_path))
    memory.grant(20 * MB)
    assert (said("memory.max"), said("memory.swap.max")) == (str(30 * MB), "0ax")  # a file keeps its rest
    memory.take_back()
    assert said("memory.max").startswith("max") and said("memory.swap.max") == "max"
    assert memory.told() == NOTHING
    (tmp_path / "memory.events").write_text("low 0\noom 4\noom_kill 3\n")
    assert memory.told().evidence


def test_without_a_leaf_nothing_is_limited_and_nothing_raises(tmp_path: Path) -> None:
    for memory in (Allowance(), Allowance(str(tmp_path / "gone"))):
        memory.grant(MB)
        memory.take_back()
        memory.begin_anew()
        assert memory.told() == NOTHING and not memory.peaks_are_runs
    files = LeafFiles(str(tmp_path / "gone"))
    assert (files.used_bytes(), files.oom_kills(), files.limit(MB)) == (None, None, False)


def test_each_run_has_a_peak_of_its_own() -> None:
    def body() -> None:
        memory = Allowance(own_process=True)
        before = memory.told().peak_bytes  # whoever forks us may be big
        big = bytearray(b"x") * (100 * MB)
        del big
        assert memory.told().peak_bytes > before + 90 * MB
        memory.begin_anew()
        small = bytearray(b"x") * (20 * MB)
        assert len(small) < memory.told().peak_bytes < before + 60 * MB
        assert memory.peaks_are_runs

    assert os.waitstatus_to_exitcode(os.waitpid(children.fork(body), 0)[1]) == 0
