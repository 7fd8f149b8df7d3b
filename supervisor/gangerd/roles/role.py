"""What every role has in hand when it starts, and how it talks to its master.

A role is an exec'd child: descriptors come by number in GANGERD_FDS, the configuration in one of them,
since it may hold a password. The end of the channel means that the master is gone: then the role has no
business being. Used by the coordinator and the scheduler; what they do is theirs.
"""

import json
import os
import signal
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ganger.config import EngineConfig, parse_redis_url
from ganger.errors import NotConfigured
from gangerd import log, messages
from gangerd.board import Board
from gangerd.config import Config
from gangerd.linux import processes, title
from gangerd.linux.channel import Channel, Closed
from gangerd.linux.shared_memory import map_region, read_all
from gangerd.messages import Message
from gangerd.page import Page
from gangerd.recorder import BOARD_BYTES, HEADER_BYTES, PAGE_BYTES, HeaderWord, file_bytes, page_offset
from gangerd.roles.loop import LeaveLoop, Loop

FULL_RETRY_MS = 50
_logger = log.get()


@dataclass
class Role:
    """One role's surroundings. `host` is the master's incarnation: the consumer name of all its claims."""

    name: str
    config: Config
    channel: Channel[Message]
    recorder_fd: int
    doorbell_fd: int
    manifest: dict[str, Any]
    manifest_fd: int | None = None
    """Where the manifest will be read from; None when there is none to wait for, or it has been read."""
    loop: Loop = field(default_factory=Loop)

    def __post_init__(self) -> None:
        size = os.fstat(self.recorder_fd).st_size
        # Mapped once and never unmapped: closing a mapping would drop the page locks of this process.
        memory = memoryview(map_region(self.recorder_fd, 0, size))
        self.header = memory[:HEADER_BYTES].cast("Q")
        slots = self.header[HeaderWord.SLOTS]
        if size < file_bytes(slots):
            raise ValueError(f"a recorder of {size} bytes has no room for {slots} slots")
        self.host = f"{self.header[HeaderWord.INCARNATION]:016x}"
        self.board_memory = memory[HEADER_BYTES : HEADER_BYTES + BOARD_BYTES]
        self.board = Board(self.board_memory)
        offsets = [page_offset(slot) for slot in range(slots)]
        self.pages = [Page(memory[offset : offset + PAGE_BYTES]) for offset in offsets]
        self._outbox: deque[Message] = deque()
        self.loop.when_asked("outbox", self._flush)

    @property
    def slots(self) -> int:
        return len(self.pages)

    def has_manifest(self) -> bool:
        """Read the template's list of jobs, if it is there. Roles start beside the app's import, so it may
        not be there yet, or only half."""
        if self.manifest_fd is not None:
            try:
                self.manifest = json.loads(read_all(self.manifest_fd))
            except ValueError:
                return False
            self.manifest_fd = None
        return True

    def tell(self, message: Message) -> None:
        """Send to the master; kept in order when its mailbox is full."""
        self._outbox.append(message)
        self._flush()

    def listen(self, handle: Callable[[Message], None]) -> None:
        """Have the loop hand every message of the master to `handle`; leave when the master is gone."""

        def receive() -> None:
            try:
                arrived = self.channel.receive()
            except Closed:
                raise LeaveLoop(1) from None
            for message, _ in arrived:
                handle(message)

        self.loop.watch(self.channel.fileno(), receive)

    def told_everything(self) -> bool:
        return not self._outbox

    def _flush(self) -> None:
        try:
            while self._outbox and self.channel.send(self._outbox[0]):
                self._outbox.popleft()
        except Closed:
            raise LeaveLoop(1) from None
        if self._outbox:
            self.loop.soon("outbox", FULL_RETRY_MS)


def open_role(name: str, environ: Mapping[str, str] = os.environ) -> Role:
    """Take up what the master handed over. Raises SystemExit when it is gone already."""
    master = int(environ.get("GANGERD_MASTER", os.getppid()))
    if not processes.die_with_parent(master):
        raise SystemExit(1)
    # Ctrl-C reaches the whole group, systemd may signal everyone: the order of leaving is the master's.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE, signal.SIGTSTP):
        signal.signal(number, signal.SIG_IGN)
    fds: dict[str, int] = json.loads(environ["GANGERD_FDS"])
    for fd in fds.values():
        os.set_inheritable(fd, False)
    config = Config.load_fd(fds["config"])
    log.configure(config.log_format, config.log_level, role=name)  # type: ignore[arg-type]
    title.set_title(f"ganger: {name}")
    return Role(
        name=name,
        config=config,
        channel=Channel(fds["channel"], messages.encode, messages.decode),
        recorder_fd=fds["recorder"],
        doorbell_fd=fds["doorbell"],
        manifest={},
        manifest_fd=fds.get("manifest"),
    )


def engine_config(config: Config) -> EngineConfig:
    """How the engine reaches this run's Redis. Raises NotConfigured while embedded servers are not up yet."""
    url = config.redis_url()
    if not url:
        raise NotConfigured("The embedded servers are not up yet.")
    return EngineConfig(
        redis=parse_redis_url(url),
        namespace=config.namespace,
        durability=config.durability,
        max_job_bytes=config.max_job_bytes,
        semaphores=config.semaphore_urls(),
    )
