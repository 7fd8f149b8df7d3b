"""The servers that everything runs on: one binary, redis-server; standalone for the peers, a cluster of one
node for ganger, the same settings else: an append-only file written out each second, on loopback, a
password for none.

Each dies with the process that started it. Called by run.py and crash.py.
"""

import ctypes
import secrets
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import psutil
import redis

PR_SET_PDEATHSIG = 1
LAST_SLOT = 16383
OPTIONS = "--bind 127.0.0.1 --appendonly yes --appendfsync everysec --maxmemory-policy noeviction"


class Server:
    """A redis-server in a directory of its own. `url` is what clients are given."""

    def __init__(self, directory: Path, *, cluster: bool) -> None:
        self.directory, self.cluster = directory, cluster
        directory.mkdir(parents=True)
        binary = shutil.which("redis-server")
        if not binary:
            raise SystemExit("no redis-server on PATH. On Debian and Ubuntu: apt install redis-server")
        port = free_port()
        self.url = f"redis://127.0.0.1:{port}"
        command = [binary, *OPTIONS.split(), "--save", "", "--port", str(port), "--dir", str(directory)]
        if cluster:
            bus, ident = free_port(), secrets.token_hex(20)
            (directory / "nodes.conf").write_text(
                f"{ident} 127.0.0.1:{port}@{bus} myself,master - 0 0 1 connected 0-{LAST_SLOT}\n"
                "vars currentEpoch 1 lastVoteEpoch 0\n"
            )
            command += ["--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf"]
            command += ["--cluster-port", str(bus)]
        self._process = subprocess.Popen(
            command,
            stdout=(directory / "log").open("wb"),
            stderr=subprocess.STDOUT,
            preexec_fn=dies_with_parent,
        )
        self.client = redis.Redis.from_url(self.url)
        self.account = psutil.Process(self._process.pid)

    def wait_ready(self) -> None:
        deadline_s = time.monotonic() + 20
        while time.monotonic() < deadline_s:
            try:
                if not self.cluster or self.client.cluster("INFO").get("cluster_state") == "ok":
                    self.client.ping()
                    return
            except redis.exceptions.RedisError:
                pass
            time.sleep(0.02)
        raise SystemExit(f"a server did not come up: {self.directory / 'log'}")

    def cpu_s(self) -> float:
        times = self.account.cpu_times()
        return float(times.user + times.system)

    def version(self) -> str:
        return str(self.client.info("server")["redis_version"])

    def clear(self) -> None:
        self.client.flushall()

    def stop(self) -> None:
        self.client.close()
        self._process.kill()
        self._process.wait(20)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def dies_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
