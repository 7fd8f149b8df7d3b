"""The kernel log's lines, as kernels write them, and a device that may not be read."""

from pathlib import Path

import pytest

from gangerd.linux.kmsg import KernelLog, pid_of_oom_line

MEMCG = (
    "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/a,"
    "task_memcg=/a/w1,task=python3.11,pid=12574,uid=0"
)
GLOBAL = (
    "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,"
    "task_memcg=/user.slice,task=a,pid=1,uid=1,pid=99,uid=1000"
)


@pytest.mark.parametrize(
    ("line", "pid"),
    [
        (MEMCG, 12574),
        (GLOBAL, 99),
        (
            "Memory cgroup out of memory: Killed process 12574 (python3.11) total-vm:1kB",
            12574,
        ),
        ("Out of memory: Killed process 7 (x) total-vm:1kB", 7),
        ("python3.11[12574]: segfault at 0 ip 00007f sp 00007f error 4 in libc.so", None),
        ("Killed process 12 (x)", None),
        ("oom-kill:constraint=CONSTRAINT_MEMCG,task=python,pid=12", None),
    ],
)
def test_lines(line: str, pid: int | None) -> None:
    assert pid_of_oom_line(line) == pid


def test_no_permission_is_no_evidence(tmp_path: Path) -> None:
    kernel_log = KernelLog(tmp_path / "absent")
    assert not kernel_log.available
    assert kernel_log.oom_line(1) is None
    kernel_log.close()
