"""A role that knows no Redis: it says it is ready, stamps as the coordinator does, acknowledges deaths,
writes them down, and leaves when it is drained. Used by the tests of the master, which exec
`python -m support.tiny_role`.

`role-mode-<name>` in the run directory: `fail` (RoleFailed, exit 78), `exit` (exit 3 at once), `mute` (takes
deaths and does not acknowledge them), `slow` (ready when the file is gone).
"""

import json
import os
import select
import signal
import sys
import time
from pathlib import Path

import msgspec

from gangerd.config import Config
from gangerd.linux import processes
from gangerd.linux.channel import Channel, Closed
from gangerd.linux.shared_memory import map_region
from gangerd.messages import (
    Death,
    DeathSettled,
    Drain,
    Message,
    RoleFailed,
    RoleReady,
    decode,
    encode,
)
from gangerd.recorder import HEADER_BYTES, HeaderWord


def main() -> int:
    if not processes.die_with_parent(int(os.environ["GANGERD_MASTER"])):
        return 1
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    fds = json.loads(os.environ["GANGERD_FDS"])
    name = os.environ["GANGERD_ROLE"]
    run_dir = Config.load_fd(fds["config"]).run_dir
    channel: Channel[Message] = Channel(fds["channel"], encode, decode)
    mode_file = run_dir / f"role-mode-{name}"
    mode = mode_file.read_text() if mode_file.exists() else ""
    if mode == "exit":
        return 3
    if mode == "fail":
        channel.send(RoleFailed(name, "no such thing as a Redis here", 78))
        return 78
    while "manifest" in fds and not os.fstat(fds["manifest"]).st_size:
        time.sleep(0.005)
    if mode == "slow":
        while mode_file.exists():
            time.sleep(0.01)
    _note(run_dir, f"{name} started, fds {' '.join(sorted(fds))}")
    channel.send(RoleReady(name, "tiny"))
    return _serve(name, run_dir, channel, fds, mode)


def _serve(name: str, run_dir: Path, channel: Channel[Message], fds: dict[str, int], mode: str) -> int:
    header = memoryview(map_region(fds["recorder"], 0, HEADER_BYTES)).cast("Q") if "recorder" in fds else None
    poll = select.poll()
    poll.register(channel.fileno(), select.POLLIN)
    while True:
        if header is not None and name == "coordinator":
            header[HeaderWord.COORDINATOR_AT_NS] = time.monotonic_ns()
            header[HeaderWord.RENEWED_AT_NS] = time.monotonic_ns()
        poll.poll(50)
        try:
            received = channel.receive()
        except Closed:
            return 1
        for message, _ in received:
            if isinstance(message, Drain):
                _note(run_dir, f"{name} drained")
                return 0
            if isinstance(message, Death):
                with (run_dir / "told.jsonl").open("ab") as out:
                    out.write(msgspec.json.encode(message) + b"\n")
                if mode != "mute":
                    channel.send(DeathSettled(message.id))


def _note(run_dir: Path, line: str) -> None:
    with (run_dir / "roles.txt").open("a") as out:
        out.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main())
