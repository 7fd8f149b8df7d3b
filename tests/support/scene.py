"""Where an incident happens: servers, hosts on them, a producer, the journal of what really ran.

The system tests work with this alone. `gang` starts a host and waits until it serves; everything started is
ended with the test, and its directory stays.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ganger import Client, inspect
from ganger.cluster import Cluster
from ganger.config import EngineConfig
from ganger.errors import GangerError, JobNotFound
from ganger.keys import Control
from support import incident_app
from support.command import document
from support.gang import Gang
from support.journal import VARIABLE, Journal
from support.servers import ClusterServers
from support.waiting import until

CONTROL = Control("ganger")


class Scene:
    def __init__(self, servers: ClusterServers, root: Path) -> None:
        self.servers = servers
        self.root = root
        self.journal = Journal(root / "journal")
        self.env = {"GANGER_REDIS": servers.url, VARIABLE: str(self.journal.directory)}
        self.cluster = Cluster(servers.settings())
        self.client = Client(EngineConfig(redis=servers.settings()), cluster=self.cluster)
        self.gangs: list[Gang] = []

    def gang(self, name: str = "host", *, serving: bool = True, **options: Any) -> Gang:
        """A host. Names of its own keep two apart."""
        settings = {"host": name, **options.pop("settings", {})}
        made = Gang(self.root / name, self.env, settings=settings, **options)
        self.gangs.append(made)
        return made.serving() if serving else made

    def close(self) -> None:
        for each in self.gangs:
            each.close()
        self.cluster.close()

    # ---- the producer

    def push(self, job: Any, *args: Any, **options: Any) -> str:
        """Push one job of the incidents' app; its jid."""
        jid: str = job.options(**options).push_with(self.client, *args)
        return jid

    def push_many(self, job: Any, calls: Iterable[tuple[Any, ...]], **options: Any) -> list[str]:
        jids: list[str] = job.options(**options).push_many(list(calls), client=self.client)
        return jids

    def push_healthy(self, count: int, work_ms: float = 0) -> list[str]:
        return self.push_many(incident_app.healthy, [(number, work_ms) for number in range(count)])

    # ---- what is seen

    def status(self) -> dict[str, Any]:
        return inspect.status(self.cluster, CONTROL)

    def totals(self) -> dict[str, Any]:
        found: dict[str, Any] = self.status()["totals"]
        return found

    def crashes(self, jid: str = "") -> list[dict[str, Any]]:
        """Post-mortems, oldest first."""
        found = inspect.crashes(self.cluster, CONTROL, 10_000)
        return [crash for crash in reversed(found) if jid in ("", crash["jid"])]

    def job(self, jid: str) -> dict[str, Any] | None:
        """The job's document; None when it is in no queue."""
        try:
            return inspect.job(self.cluster, CONTROL, jid)
        except JobNotFound:
            return None

    def dead(self) -> dict[str, dict[str, Any]]:
        return {letter["jid"]: letter for letter in inspect.dead(self.cluster, CONTROL, limit=10_000)}

    def left(self) -> int:
        """Jobs that have not come to an end."""
        rows = self.status()["queues"].values()
        return sum(row["ready"] + row["parked"] + row["later"] + row["in_flight"] for row in rows)

    def waiting(self) -> int:
        """The same without those that are due later."""
        return sum(row["ready"] + row["in_flight"] for row in self.status()["queues"].values())

    def command(self, *words: str) -> Any:
        """What `ganger ... --json` prints."""
        return document(*words, cwd=self.root, env=self.env)

    # ---- waiting

    def await_begin(self, jid: str, count: int = 1, within_s: float = 20.0) -> None:
        until(lambda: self.journal.begun(jid) >= count, f"{count} begins of {jid}", within_s)

    def await_end(self, jid: str, within_s: float = 20.0) -> None:
        until(lambda: self.journal.ended(jid) >= 1, f"the end of {jid}", within_s)

    def await_crash(self, jid: str, count: int = 1, within_s: float = 20.0) -> list[dict[str, Any]]:
        until(lambda: len(self.crashes(jid)) >= count, f"{count} post-mortems of {jid}", within_s)
        return self.crashes(jid)

    def await_dead(self, jid: str, within_s: float = 20.0) -> dict[str, Any]:
        until(lambda: jid in self.dead(), f"{jid} among the dead letters", within_s)
        return self.dead()[jid]

    def await_gone(self, jid: str, within_s: float = 20.0) -> None:
        until(lambda: self.job(jid) is None, f"{jid} in no queue", within_s)

    def await_idle(self, within_s: float = 20.0) -> None:
        """Nothing is ready or in flight; some may be due later."""
        until(lambda: self.waiting() == 0, "nothing ready, nothing in flight", within_s)

    def await_all_done(self, within_s: float = 60.0) -> None:
        """Nothing is ready, later or in flight. Servers that are away have not said so."""

        def done() -> bool:
            try:
                return self.left() == 0
            except GangerError:
                return False

        until(done, "all jobs at their end", within_s)
