"""The servers role as the master would run it: a process with a channel and a configuration."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gangerd import messages
from gangerd.config import Config
from gangerd.embedded import binary
from gangerd.linux.channel import Channel, pair
from gangerd.messages import Drain, Message, RoleFailed, RoleReady
from support.command import environment
from support.waiting import until


@contextmanager
def role(
    directory: Path, env: dict[str, str] | None = None
) -> Iterator[tuple[subprocess.Popen[bytes], Channel[Message]]]:
    ours, theirs = pair()
    config_fd = Config(app="x", dir=str(directory), embedded=True, log_format="json").to_fd()
    fds = {"channel": theirs.fileno(), "config": config_fd}
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "gangerd.roles.servers"],
        pass_fds=tuple(fds.values()),
        env=environment({"GANGERD_FDS": json.dumps(fds), "GANGERD_MASTER": str(os.getpid()), **(env or {})}),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    theirs.close()
    os.close(config_fd)
    channel = Channel(ours, messages.encode, messages.decode)
    try:
        yield process, channel
    finally:
        channel.close()
        process.wait(20)


def next_message(channel: Channel[Message]) -> Message:
    arrived: list[Message] = []

    def some() -> bool:
        arrived.extend(message for message, _ in channel.receive())
        return bool(arrived)

    until(some, "a message of the role", deadline_s=20)
    return arrived[0]


def test_ready_when_whole_deaf_to_signals_gone_after_drain(tmp_path: Path) -> None:
    with role(tmp_path) as (process, channel):
        said = next_message(channel)
        assert isinstance(said, RoleReady)
        assert (tmp_path / "embedded.json").exists()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            process.send_signal(number)
        channel.send(Drain())
        assert process.wait(20) == 0
        assert not (tmp_path / "embedded.json").exists()


def test_it_leaves_when_its_master_is_gone(tmp_path: Path) -> None:
    with role(tmp_path) as (process, channel):
        assert isinstance(next_message(channel), RoleReady)
        channel.close()
        assert process.wait(20) == 1
        assert not (tmp_path / "embedded.json").exists()


def test_without_a_program_it_fails_with_a_sentence_and_78(tmp_path: Path) -> None:
    with role(tmp_path, {binary.OVERRIDE: "/nowhere"}) as (process, channel):
        said = next_message(channel)
        assert isinstance(said, RoleFailed)
        assert (said.role, said.exit_code) == ("servers", 78)
        assert "GANGER_SERVER_BINARY=/nowhere: can't be run" in said.error
        assert process.wait(20) == 78
