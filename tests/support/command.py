"""The installed command `ganger` as a process, in a directory and an environment of its own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gangerd.linux import processes

GANGER = Path(sys.executable).with_name("ganger")
# What the tests' own surroundings say must not reach the command.
_FOREIGN = ("GANGER_", "GANGERD_", "INVOCATION_ID", "NOTIFY_SOCKET", "RUNTIME_DIRECTORY")


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    return {**clean, **(extra or {})}


def ganger(
    *words: str, cwd: Path, env: Mapping[str, str] | None = None, timeout_s: float = 30
) -> subprocess.CompletedProcess[str]:
    """Run it to its end."""
    return subprocess.run(
        [GANGER, *words],
        cwd=cwd,
        env=environment(env),
        capture_output=True,
        text=True,
        timeout=timeout_s,
        stdin=subprocess.DEVNULL,
    )


def document(*words: str, cwd: Path, env: Mapping[str, str] | None = None) -> Any:
    """The document that it prints with --json; it must succeed and say nothing else."""
    done = ganger(*words, "--json", cwd=cwd, env=env)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return json.loads(done.stdout)


@contextmanager
def running(*words: str, cwd: Path, env: Mapping[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    """It in the background, with pipes; told to end by TERM when the test has not ended it."""
    parent = os.getpid()
    process = subprocess.Popen(
        [GANGER, *words],
        cwd=cwd,
        env=environment(env),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: processes.die_with_parent(parent, signal.SIGTERM),
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        try:
            process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
