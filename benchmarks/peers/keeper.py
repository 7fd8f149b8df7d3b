"""Keeps the commands of one system running, as a service manager would: when one ends it ends what is left
of it, within 10 s, and a second later starts it anew.

Subreaper of all that comes of them, so that they stay below it whatever they fork, and can be counted and
ended by pid. `keeper.py FILE`: a JSON list of commands; each end goes to FILE's `.ends` beside it, a line
with the time. TERM: asks the commands to end, and after STOP_S ends whatever is left. Ends with its parent.
crew.py starts it.
"""

import contextlib
import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

RESTART_S, STOP_S, LEFT_S = 1.0, 1.0, 10.0
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36


def main(path: Path) -> None:
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    woken, wake = os.pipe2(os.O_NONBLOCK)
    signal.set_wakeup_fd(wake)
    for each in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: None)
    commands = json.loads(path.read_text())
    running = {start(command): command for command in commands}
    due: list[tuple[float, list[str]]] = []
    poller = select.poll()
    poller.register(woken, select.POLLIN)
    while True:
        timeout_ms = max(0.0, due[0][0] - time.monotonic()) * 1000 if due else None
        heard = os.read(woken, 100) if poller.poll(timeout_ms) else b""
        if signal.SIGTERM in heard or signal.SIGINT in heard:
            stop(list(running))
            return
        ends = reaped()
        while ends:
            pid, status = ends.pop(0)
            if pid in running:
                command = running.pop(pid)
                ends += clear_up(list(running))
                due.append((time.monotonic() + RESTART_S, command))
                with path.with_suffix(".ends").open("a") as log:
                    log.write(f"{time.monotonic_ns()} {pid} {os.waitstatus_to_exitcode(status)}\n")
        while due and due[0][0] <= time.monotonic():
            command = due.pop(0)[1]
            running[start(command)] = command


def start(command: list[str]) -> int:
    return subprocess.Popen(command, stdin=subprocess.DEVNULL).pid


def reaped() -> list[tuple[int, int]]:
    found = []
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if not pid:
            return found
        found.append((pid, status))


def clear_up(pids: list[int]) -> list[tuple[int, int]]:
    """What an ended command left behind is asked to end, and made to: below none of `pids`, those that run.
    Answers what else ended meanwhile."""
    ends: list[tuple[int, int]] = []

    def left() -> set[int]:
        ends.extend(reaped())
        return set(below(os.getpid())) - {each for pid in pids for each in (pid, *below(pid))}

    for pid in left():
        signal_to(pid, signal.SIGTERM)
    deadline_s = time.monotonic() + LEFT_S
    while left() and time.monotonic() < deadline_s:
        time.sleep(0.05)
    while found := left():
        for pid in found:
            signal_to(pid, signal.SIGKILL)
        time.sleep(0.01)
    return ends


def stop(pids: list[int]) -> None:
    for pid in pids:
        signal_to(pid, signal.SIGTERM)
    deadline_s = time.monotonic() + STOP_S
    while below(os.getpid()) and time.monotonic() < deadline_s:
        reaped()
        time.sleep(0.02)
    while left := below(os.getpid()):
        for pid in left:
            signal_to(pid, signal.SIGKILL)
        time.sleep(0.01)
        reaped()


def signal_to(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def below(root: int) -> list[int]:
    """Every process under `root`, zombies too until they are reaped."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                parents.setdefault(parent, []).append(int(entry.name))
    found, waiting = [], [root]
    while waiting:
        children = parents.get(waiting.pop(), [])
        found += children
        waiting += children
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]))
