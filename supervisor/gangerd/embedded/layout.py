"""What the embedded servers of a directory are: their ports and password, kept so that they come back as
they were, and the file by which producers find them.

Files only; fleet.py starts and stops."""

import contextlib
import json
import os
import random
import secrets
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

BUS_OFFSET = 10_000
# Both a port and its bus port stay below the range from which the kernel takes ports for outgoing calls.
_PORTS = range(10_240, 22_000)


class Layout(msgspec.Struct):
    """One directory's servers. The password is theirs alone; the file is readable by its owner only."""

    password: str
    shards: list[int]
    semaphore: int

    def redis_url(self) -> str:
        nodes = ",".join(f"127.0.0.1:{port}" for port in self.shards)
        return f"redis://:{self.password}@{nodes}"

    def semaphore_url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.semaphore}"


def load(path: Path) -> Layout | None:
    """The layout of an earlier start; None when there is none that can be read."""
    with contextlib.suppress(OSError, msgspec.MsgspecError):
        return msgspec.json.decode(path.read_bytes(), type=Layout)
    return None


def draw(shards: int, rng: random.Random | None = None) -> Layout:
    """A fresh password and ports that are free now."""
    ports = free_ports(shards + 1, rng or random.SystemRandom())
    return Layout(secrets.token_urlsafe(24), ports[:-1], ports[-1])


def free_ports(count: int, rng: random.Random, taken: Iterable[int] = ()) -> list[int]:
    """Ports whose bus port is free as well."""
    found: list[int] = []
    for port in rng.sample(_PORTS, len(_PORTS)):
        if port not in taken and is_free(port) and is_free(port + BUS_OFFSET):
            found.append(port)
            if len(found) == count:
                return found
    raise OSError(f"there are no {count} free ports from {_PORTS.start} to {_PORTS.stop}")


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def write_private(path: Path, content: Any) -> None:
    """Replace the file in one step; nobody but its owner can ever read it."""
    data = content if isinstance(content, bytes) else json.dumps(msgspec.to_builtins(content)).encode()
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())  # else a machine that loses its power has an empty one
    fresh.replace(path)


def announced(path: Path) -> dict[str, Any] | None:
    """embedded.json of servers that run now; None when there is none or its keeper is gone."""
    try:
        known = json.loads(path.read_bytes())
        os.kill(int(known["pid"]), 0)
    except PermissionError:
        pass
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return known if isinstance(known, dict) else None
