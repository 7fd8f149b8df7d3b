"""What the engine needs to know to find its Redis, and where it finds that out.

`EngineConfig.discover` looks, in this order: GANGER_REDIS, `redis` in ganger.toml, the file that a running
`ganger run --embedded` leaves behind. The daemon has a larger configuration of its own and builds an
EngineConfig from it. A password is in no repr and in no error text; that is why no error here quotes a URL.
"""

import json
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote

from ganger.durability import LEVELS
from ganger.errors import BadSettings, NotConfigured
from ganger.keys import check_namespace

DEFAULT_PORT = 6379
UNKNOWN_TYPES = ("refuse", "warn", "allow")
TOML_FILE = "ganger.toml"
EMBEDDED_FILE = "embedded.json"

_WHAT_TO_SET = (
    "set GANGER_REDIS=redis://host:port (several nodes: redis://h1:p1,h2:p2), or `redis` in ganger.toml,"
    " or start `ganger embedded` in this directory."
)


@dataclass(frozen=True, slots=True)
class RedisSettings:
    """How to reach a cluster: any of its nodes, and what they want to hear."""

    nodes: tuple[tuple[str, int], ...]
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    socket_timeout_s: float = 2.0
    """How long a node may keep us waiting for a reply before it counts as down."""
    connect_timeout_s: float = 1.0


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """The engine's whole configuration."""

    redis: RedisSettings
    namespace: str = "ganger"
    durability: str = "fast"
    """ "fast", "replicated" (a push returns when a replica has it) or "fsynced" (when it is on both
    disks)."""
    max_job_bytes: int = 1024 * 1024
    unknown_types: str = "refuse"
    """What becomes of a push by name of a type that nobody announces: "refuse", "warn" or "allow"."""
    semaphores: tuple[str, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        check_namespace(self.namespace)
        if self.durability not in LEVELS:
            raise BadSettings(f"durability is {self.durability!r}; it must be one of {', '.join(LEVELS)}.")
        if self.unknown_types not in UNKNOWN_TYPES:
            raise BadSettings(
                f"unknown_types is {self.unknown_types!r}; it must be one of {', '.join(UNKNOWN_TYPES)}."
            )
        if isinstance(self.max_job_bytes, bool) or not isinstance(self.max_job_bytes, int):
            raise BadSettings("max_job_bytes must be a whole number of bytes.")
        if self.max_job_bytes < 1024:
            raise BadSettings(f"max_job_bytes is {self.max_job_bytes}; it must be at least 1024.")

    def at_level(self, durability: str) -> Self:
        """The same with this durability; as it is without one. Raises BadSettings."""
        return replace(self, durability=durability) if durability else self

    @classmethod
    def discover(
        cls,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        toml: Mapping[str, Any] | None = None,
    ) -> Self:
        """Find the settings; `toml` is ganger.toml already parsed (None: read it from `cwd`).

        Raises NotConfigured when no Redis is named anywhere, BadSettings for one that can't be used.
        """
        env = os.environ if env is None else env
        cwd = Path.cwd() if cwd is None else cwd
        toml = _read_toml(cwd / TOML_FILE) if toml is None else toml
        embedded = cwd / str(toml.get("dir", ".ganger")) / EMBEDDED_FILE
        url, semaphores = _find_url(env, toml, embedded)
        if "GANGER_SEMAPHORES" in env:
            semaphores = [part.strip() for part in env["GANGER_SEMAPHORES"].split(",") if part.strip()]
        return cls(
            redis=parse_redis_url(url),
            namespace=env.get("GANGER_NAMESPACE") or toml.get("namespace", "ganger"),
            durability=toml.get("durability", "fast"),
            unknown_types=toml.get("unknown_types", "refuse"),
            max_job_bytes=toml.get("max_job_bytes", cls.__dataclass_fields__["max_job_bytes"].default),
            semaphores=tuple(semaphores),
        )


def discover_throttles(
    env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> tuple[str, tuple[str, ...]]:
    """(namespace, URLs of the servers for semaphores) for who needs nothing else: they may be configured
    where no cluster is. No URLs where a cluster is configured without any. Raises NotConfigured,
    BadSettings."""
    env = os.environ if env is None else env
    cwd = Path.cwd() if cwd is None else cwd
    toml = _read_toml(cwd / TOML_FILE)
    if not env.get("GANGER_SEMAPHORES") and not toml.get("semaphores"):
        config = EngineConfig.discover(env, cwd, toml)
        return config.namespace, config.semaphores
    namespace = env.get("GANGER_NAMESPACE") or toml.get("namespace", "ganger")
    listed = _listed(toml)
    if "GANGER_SEMAPHORES" in env:
        listed = [part.strip() for part in env["GANGER_SEMAPHORES"].split(",") if part.strip()]
    return check_namespace(namespace), tuple(listed)


def _listed(toml: Mapping[str, Any]) -> list[str]:
    listed = toml.get("semaphores", [])
    if not isinstance(listed, list) or not all(isinstance(url, str) for url in listed):
        raise BadSettings("semaphores in ganger.toml must be a list of URLs.")
    return listed


def _find_url(env: Mapping[str, str], toml: Mapping[str, Any], embedded: Path) -> tuple[str, list[str]]:
    """(Redis URL, semaphore URLs) from the first of the three places that names one."""
    listed = _listed(toml)
    url = env.get("GANGER_REDIS") or toml.get("redis")
    if url is not None:
        if not isinstance(url, str):
            raise BadSettings("redis in ganger.toml must be a string: redis://host:port.")
        return url, listed
    try:
        found = json.loads(embedded.read_text(encoding="utf-8"))
        url, pid = str(found["redis"]), int(found["pid"])
        found_semaphores = [str(one) for one in found.get("semaphores", [])]
        alive = _alive(pid)
    except FileNotFoundError:
        raise NotConfigured(f"No Redis is configured: {_WHAT_TO_SET}") from None
    except (OSError, ValueError, LookupError, TypeError, OverflowError, RecursionError) as error:
        raise BadSettings(f"{embedded} can't be read ({type(error).__name__}): {_WHAT_TO_SET}") from None
    if not alive:
        raise NotConfigured(f"The embedded servers of {embedded} no longer run (pid {pid}): {_WHAT_TO_SET}")
    return url, listed or found_semaphores


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _read_toml(path: Path) -> Mapping[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except FileNotFoundError:
        return {}
    except RecursionError:
        raise BadSettings(f"{path} can't be read: it is nested too deep.") from None
    except (ValueError, OSError) as error:  # no TOML, no UTF-8, a number of thousands of digits
        raise BadSettings(f"{path} can't be read: {error}.") from None


def parse_redis_url(url: str) -> RedisSettings:
    """`redis://user:password@h1:p1,h2:p2`, or rediss:// for TLS. Raises BadSettings; never quotes the URL."""
    scheme, found, rest = url.strip().partition("://")
    if not found or scheme not in ("redis", "rediss"):
        raise BadSettings("The Redis URL must begin with redis:// or rediss://.")
    account, _, place = rest.rpartition("@")
    hosts, _, path = place.partition("/")
    if path not in ("", "0"):
        raise BadSettings("The Redis URL must end after the nodes: a cluster has only database 0.")
    username, _, password = account.partition(":")
    return RedisSettings(
        nodes=tuple(_address(number, node) for number, node in enumerate(hosts.split(","), start=1)),
        username=unquote(username) or None,
        password=unquote(password) or None,
        tls=scheme == "rediss",
    )


def _address(number: int, node: str) -> tuple[str, int]:
    """host, host:port, [v6] or [v6]:port."""
    host, colon, port = node.strip().rpartition(":")
    if not colon or port.endswith("]"):
        host, port = node.strip(), str(DEFAULT_PORT)
    host = host.removeprefix("[").removesuffix("]")
    if not host:
        raise BadSettings(f"Node {number} in the Redis URL has no host name.")
    if not re.fullmatch(r"[0-9]{1,5}", port) or not 0 < int(port) < 65536:
        raise BadSettings(f"Node {number} in the Redis URL: the port must be a number from 1 to 65535.")
    return host, int(port)
