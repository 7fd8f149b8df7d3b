"""A working directory whose settings name a cluster: where the tests of the commands call them."""

import os
import pty
import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ganger.client import Client
from ganger.cluster import Cluster
from ganger.config import EngineConfig
from ganger.keys import partitions
from ganger.operations import claim, failing
from ganger.options import Options
from ganger.push_options import PushOptions
from ganger.retry import Failure, Policy
from support.children import readable
from support.command import GANGER, document, environment, ganger

NO_ADDRESS = Failure(cause="exception", error="ValueError", message="no such address")


class Shop:
    """A working directory whose settings name the cluster."""

    def __init__(self, cwd: Path, url: str, cluster: Cluster) -> None:
        self.cwd = cwd
        self.env = {"GANGER_REDIS": url}
        self.cluster = cluster

    def text(self, *words: str) -> str:
        done = ganger(*words, cwd=self.cwd, env=self.env)
        assert done.returncode == 0, done.stderr
        assert "\x1b" not in done.stdout, "colours belong on a terminal"
        return done.stdout

    def json(self, *words: str) -> Any:
        return document(*words, cwd=self.cwd, env=self.env)

    def refused(self, *words: str) -> tuple[int, str]:
        """(exit code, what it said) of a command that must not succeed."""
        done = ganger(*words, cwd=self.cwd, env=self.env)
        assert (done.returncode != 0, done.stdout) == (True, ""), done.stdout
        return done.returncode, done.stderr

    def at_terminal(
        self,
        *words: str,
        answer: str = "",
        term: str = "dumb",
        stop_when: Callable[[str], bool] = lambda told: False,
    ) -> tuple[int, str]:
        """(exit code, all that was seen): the command at a terminal, told `answer`, and interrupted once
        `stop_when` says so of what was seen."""
        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(self.cwd)
            os.execve(GANGER, [str(GANGER), *words], {**environment(self.env), "TERM": term})
        os.write(terminal, answer.encode())
        told, stopped = b"", False
        try:
            while True:
                if readable(terminal, 0.05):
                    told += os.read(terminal, 65536)
                if not stopped and stop_when(told.decode(errors="replace")):
                    stopped = True
                    os.kill(pid, signal.SIGINT)
        except OSError:
            pass  # it has closed the terminal: it has ended
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        os.close(terminal)
        return code, told.decode(errors="replace")

    def push(self, count: int = 1, *, queue: str = "mail", type: str = "shop.send") -> list[str]:
        """Jobs that are ready; their jids."""
        client = Client(EngineConfig.discover(env=self.env), cluster=self.cluster)
        return client.send(type, Options(queue=queue), PushOptions(), [([n], {}) for n in range(count)])

    def bury_all(self, queue: str = "mail", failure: Failure = NO_ADDRESS) -> None:
        """Take every ready job and let it fail for the last time."""
        self.fail_all(queue, failure, Policy(retry=0, dead=True))

    def fail_all(self, queue: str, failure: Failure, policy: Policy = Policy()) -> None:  # noqa: B008
        """Take every ready job, one a claim since its type is unknown, and let it fail."""
        places = [place for place in partitions("ganger", queue, 12) for _ in range(9)]
        for op, part in enumerate(places, 1):
            taken = claim.claim(self.cluster, part, "c" * 16, "d" * 16, op, budget_us=10**9)
            for entry in taken.entries:
                failing.fail(self.cluster, entry, "c" * 16, policy, failure, random.Random(1))
