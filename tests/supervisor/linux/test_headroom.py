"""The memory that can still be had: the least of the machine's and of every group above us."""

from pathlib import Path

from gangerd.linux.headroom import available_bytes

MB = 1 << 20


def machine(root: Path, available_kb: int, group: str) -> tuple[Path, Path]:
    """A /proc and a v2 hierarchy with a service in a slice."""
    proc, hierarchy = root / "proc", root / "cgroup"
    (proc / "self").mkdir(parents=True)
    (proc / "meminfo").write_text(f"MemTotal: 99999999 kB\nMemAvailable:   {available_kb} kB\n")
    (proc / "self" / "cgroup").write_text(f"0::{group}\n")
    (proc / "self" / "mountinfo").write_text(f"30 23 0:26 / {hierarchy} rw shared:4 - cgroup2 cgroup2 rw\n")
    return proc, hierarchy


def limited(directory: Path, most: str, used: int, idle: int) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "cgroup.procs").write_text("")
    (directory / "memory.max").write_text(f"{most}\n")
    (directory / "memory.current").write_text(f"{used}\n")
    (directory / "memory.stat").write_text(f"anon 1\ninactive_file {idle}\nactive_file 7\n")


def test_without_a_limit_it_is_the_machines(tmp_path: Path) -> None:
    proc, hierarchy = machine(tmp_path, 4096, "/a")
    limited(hierarchy / "a", "max", 100 * MB, 0)
    assert available_bytes(proc) == 4 * MB


def test_a_limit_of_any_group_above_counts_and_idle_cache_is_free(tmp_path: Path) -> None:
    proc, hierarchy = machine(tmp_path, 1 << 30, "/slice/service/master")
    limited(hierarchy / "slice", str(100 * MB), 80 * MB, 5 * MB)
    limited(hierarchy / "slice" / "service", str(1000 * MB), 1 * MB, 0)
    limited(hierarchy / "slice" / "service" / "master", "max", 1 * MB, 0)
    assert available_bytes(proc) == 25 * MB


def test_what_cant_be_read_says_nothing(tmp_path: Path) -> None:
    assert available_bytes(tmp_path) is None
