"""`ganger limits`: listing, setting and unsetting by command."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ganger.cluster import Cluster
from ganger.keys import Control
from ganger.operations import control
from ganger.throttle.holders import Holder
from ganger.throttle.semaphore import Permit, Semaphore
from ganger.throttle.servers import Servers
from support.command import document, ganger
from support.servers import ClusterServers
from support.throttles import ThrottleServers

KEYS = Control("ganger")
ROW = {"name": "mail", "queue": "mail", "concurrency": 3, "on_lost": "finish", "set": False, "served": True}


class Desk:
    def __init__(self, cwd: Path, url: str, cluster: Cluster, throttles: ThrottleServers) -> None:
        self.cwd, self.cluster, self.throttles = cwd, cluster, throttles
        self.env = {"GANGER_REDIS": url, "GANGER_SEMAPHORES": ",".join(throttles.urls)}

    def text(self, *words: str, code: int = 0) -> str:
        done = ganger("limits", *words, cwd=self.cwd, env=self.env)
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    def rows(self) -> dict[str, dict[str, Any]]:
        found = document("limits", cwd=self.cwd, env=self.env)["limits"]
        return {row["name"]: row for row in found}

    def host(self, name: str, state: str = "ok", used: int = 0, **otherwise: Any) -> None:
        """A live host with a configured limit."""
        row = {**ROW, **otherwise, "used": used, "offered": 0, "waiting": 0, "state": state}
        about = {"host": name, "queues": ["mail"], "workers": [], "limits": [row]}
        control.heartbeat(self.cluster, KEYS, name * 4, about)

    def hold(self) -> None:
        with contextlib.closing(Servers(self.throttles.urls)) as servers:
            semaphore = Semaphore(servers, "ganger", "limit:mail", 3)
            assert isinstance(semaphore.attempt(Holder("web-1", "b1", "some-jid")), Permit)


@pytest.fixture
def desk(
    tmp_path: Path, emptied: ClusterServers, engine: Cluster, throttle_servers: ThrottleServers
) -> Iterator[Desk]:
    yield Desk(tmp_path, emptied.url, engine, throttle_servers)


def test_what_is_used_of_a_limit_and_by_whom(desk: Desk) -> None:
    assert desk.text() == "Nothing is limited: [limits.NAME] in ganger.toml, or `ganger limits set`.\n"
    desk.host("web-1", used=2)
    desk.host("web-2", "quorum lost", used=1)
    desk.hold()
    row = desk.rows()["mail"]
    assert (row["used"], row["set"], row["off"]) == (3, False, False)
    assert row["states"] == {"web-1": "ok", "web-2": "quorum lost"}
    (holder,) = row["holders"]
    assert (holder["host"], holder["worker"], holder["jid"]) == ("web-1", "b1", "some-jid")
    said = desk.text("list")
    assert "at most 3 at once" in said and "web-2: quorum lost" in said and "some-jid" in said
    assert "stands still: queue mail (limit mail) on web-2: quorum lost" in (
        ganger("status", cwd=desk.cwd, env=desk.env).stdout
    )


def test_a_host_that_has_a_limit_otherwise_is_named(desk: Desk) -> None:
    desk.host("web-1")
    assert desk.rows()["mail"]["differs"] == []
    desk.host("web-2", concurrency=5)
    (other,) = desk.rows()["mail"]["differs"]
    assert other in ("web-1", "web-2")
    assert f"mail: {other} has it otherwise: while both run the wider holds." in desk.text()


def test_a_limit_is_set_and_unset(desk: Desk) -> None:
    desk.host("web-1")
    assert desk.text("set", "mail", "--concurrency", "7") == (
        "mail: queue mail at most 7 at once, within two seconds.\n"
    )
    row = desk.rows()["mail"]
    assert (row["concurrency"], row["on_lost"], row["set"]) == (7, "finish", True)
    desk.text("set", "mail", "--on-lost", "end")
    assert desk.rows()["mail"]["on_lost"] == "end"
    assert desk.text("set", "mail", "--rate", "100/60s", "--burst", "5", "--concurrency", "0") == (
        "mail: queue mail 100/60s and 5 at once, within two seconds.\n"
    )
    desk.text("set", "mail", "--limit-key", "args.tenant")
    row = desk.rows()["mail"]
    assert [row[part] for part in ("concurrency", "rate", "burst", "limit_key")] == [
        None,
        "100/60s",
        5,
        "args.tenant",
    ]
    assert "queue mail   100/60s and 5 at once for each args.tenant " in desk.text()
    assert (
        desk.text(
            "set",
            "mail",
            "--type",
            "shop.mail",
            "--limit-key",
            "none",
            "--rate",
            "none",
            "--burst",
            "0",
            "--concurrency",
            "2",
        )
        == "mail: type shop.mail at most 2 at once, within two seconds.\n"
        "No live worker knows the type shop.mail: is that its name?\n"
    )
    row = desk.rows()["mail"]
    assert (row["queue"], row["type"], row["rate"]) == ("", "shop.mail", None)
    assert "off" in desk.text("set", "mail", "--off")
    assert desk.rows()["mail"]["off"]
    assert "no host serves it" not in desk.text()
    desk.text("set", "night", "--queue", "reports", "--concurrency", "1")
    assert desk.rows()["night"]["queue"] == "reports"
    assert desk.text("unset", "mail") == "mail: the hosts' configuration counts again.\n"
    assert desk.rows()["mail"]["concurrency"] == 3
    assert desk.text("unset", "mail", code=1) == "mail was not set.\n"


def test_what_can_not_be_set_is_refused_with_the_reason(desk: Desk) -> None:
    desk.host("web-1")
    assert "say which queue it is for (--queue)" in desk.text("set", "new", "--concurrency", "1", code=1)
    assert "may run at once" in desk.text("set", "new", "--queue", "q", code=1)
    assert "can't go from 3 to 100 while it is used" in desk.text(
        "set", "mail", "--concurrency", "100", code=1
    )
    assert "a limit of 'mail': rate must be like" in desk.text("set", "mail", "--rate", "5", code=1)
    assert "one of --queue and --type" in desk.text("set", "a", "--queue", "q", "--type", "t", code=2)
    assert "leave what it should allow out" in desk.text("set", "mail", "--off", "--concurrency", "1", code=2)
    for number in range(2):
        desk.text("set", f"more{number}", "--queue", "mail", "--concurrency", "1")
    crowd = desk.text("set", "fourth", "--queue", "mail", "--concurrency", "1", code=1)
    assert "limits give queue 'mail' 4 limits (fourth, mail, more0, more1): 3 is the most" in crowd
    assert set(desk.rows()) == {"mail", "more0", "more1"}


def test_holders_that_nobody_can_tell_are_said_to_be_unknown(desk: Desk) -> None:
    desk.host("web-1")
    desk.env.pop("GANGER_SEMAPHORES")
    assert desk.rows()["mail"]["holders"] is None
    assert "no servers for semaphores are configured here" in desk.text()
