"""`ganger cron`: entries that a host announced, and what can be done to them; `ganger check` on entries."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ganger.cluster import Cluster
from ganger.cron.entry import CronEntry
from ganger.keys import Control
from ganger.operations import control, cron
from support.command import document, ganger
from support.servers import ClusterServers

CONTROL = Control("ganger")
NIGHTLY = CronEntry(
    name="nightly", type="shop.send", cron="30 2 * * *", tz="Europe/Berlin", queue="mail", priority=5
)
APP = """
from ganger import job

@job(cron="30 2 * * *", tz="Europe/Berlin", queue="mail")
def send(to: str = "all") -> None: ...
"""
TABLES = """
[[cron]]
name = "weekly"
type = "shop.send"
cron = "0 6 * * 1"
tz = "Asia/Tokyo"
args = ["some"]
overlap = "skip"
"""
BAD_TABLES = """
[[cron]]
name = "one"
type = "shop.send"
cron = "61 * * * *"
tz = "Mars"

[[cron]]
name = "two"
type = "shop.sned"
cron = "* * * * *"

[[cron]]
name = "three"
type = "shop.send"
cron = "* * * * *"
args = [1]
often = true
"""


class Shop:
    def __init__(self, cwd: Path, url: str) -> None:
        self.cwd, self.env = cwd, {"GANGER_REDIS": url}

    def json(self, *words: str) -> Any:
        return document("cron", *words, cwd=self.cwd, env=self.env)

    def text(self, *words: str, code: int = 0) -> str:
        done = ganger("cron", *words, cwd=self.cwd, env=self.env)
        assert done.returncode == code, done.stderr
        return done.stdout if code == 0 else done.stderr


@pytest.fixture
def shop(tmp_path: Path, emptied: ClusterServers, engine: Cluster) -> Shop:
    control.register_queue(engine, CONTROL, "mail", 12)
    cron.announce(engine, CONTROL, "0" * 16, "shop", [msgspec.to_builtins(NIGHTLY)])
    return Shop(tmp_path, emptied.url)


def test_an_entry_is_shown_paused_run_and_told_of(shop: Shop) -> None:
    jid = shop.json("run", "nightly")["jid"]
    assert shop.json("pause", "nightly") == {"name": "nightly", "paused": True}
    assert shop.text("pause", "nightly") == "nightly was paused already.\n"
    (row,) = shop.json("list")
    assert (row["name"], row["cron"], row["tz"], row["queue"]) == (
        "nightly",
        "30 2 * * *",
        "Europe/Berlin",
        "mail",
    )
    assert row["paused_at_ms"] and row["next_at_ms"] is None and not row["unreachable"]
    assert (row["last"]["jid"], row["last"]["state"]) == (jid, "ready")
    table = shop.text()
    assert "paused" in table and jid in table
    assert shop.text("resume", "nightly") == "nightly is resumed.\n"
    assert "02:30 +0" in shop.text()
    assert [event["event"] for event in shop.json("history", "nightly")] == ["resumed", "paused", "run"]
    told = shop.text("history", "nightly").splitlines()
    assert next(line for line in told if jid in line).split()[:2] == ["-", "now"] or "ago" in "".join(told)
    assert "There is no cron entry 'nihgtly'; there are: nightly." in shop.text("run", "nihgtly", code=1)
    assert "options go behind the command" in shop.text("--json", "list", code=2)


def test_coming_ticks_of_an_announced_entry(shop: Shop) -> None:
    found = shop.json("next", "nightly", "-n", "2", "--after", "2031-03-29T12:00+01:00")
    assert [(tick["local"], tick["utc"]) for tick in found] == [
        ("2031-03-30T03:00:00+02:00", "2031-03-30T01:00:00Z"),
        ("2031-03-31T02:30:00+02:00", "2031-03-31T00:30:00Z"),
    ]


def test_coming_ticks_without_any_redis(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(APP)
    (tmp_path / "ganger.toml").write_text(TABLES)

    def first(*words: str) -> Any:
        words = ("cron", "next", *words, "-n", "1", "--after", "2031-10-26T00:00+02:00")
        return document(*words, cwd=tmp_path)[0]["local"]

    assert first("shop.send", "--app", "shop") == "2031-10-26T02:30:00+02:00"
    assert first("weekly", "--app", "shop") == "2031-10-27T06:00:00+09:00"
    assert first("0 12 * * *", "--tz", "Asia/Tokyo") == "2031-10-26T12:00:00+09:00"
    done = ganger("cron", "next", "61 * * * *", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "") and "can't be read" in done.stderr
    done = ganger("cron", "next", "daily", "--app", "shop", cwd=tmp_path)
    assert done.returncode == 1 and "there are: shop.send, weekly." in done.stderr


def test_check_and_run_tell_all_that_is_wrong_with_entries(tmp_path: Path, emptied: ClusterServers) -> None:
    (tmp_path / "shop.py").write_text(APP)
    (tmp_path / "ganger.toml").write_text(TABLES)
    done = ganger("check", "shop", cwd=tmp_path)
    assert done.stdout == "shop: 1 job type in 1 queue, 2 cron entries.\n", done.stderr
    (tmp_path / "ganger.toml").write_text(BAD_TABLES)
    done = ganger("check", "shop", "--json", cwd=tmp_path)
    assert done.returncode == 78
    errors = json.loads(done.stdout)["errors"]
    for words in (
        "one: cron '61",
        "one: tz 'Mars'",
        "two: the app has no job type 'shop.sned': did you mean",
    ):
        assert any(f" [[cron]] {words}" in error for error in errors), errors
    for words in ("three: there is no 'often'", "three: send: argument 'to'"):
        assert any(f" [[cron]] {words}" in error for error in errors), errors
    assert len(errors) == 5
    number = BAD_TABLES.splitlines().index("[[cron]]") + 1
    assert errors[0].startswith(f"ganger.toml line {number}: [[cron]] one"), errors
    env = {"GANGER_REDIS": emptied.url}
    done = ganger("run", "shop", "--log-format", "json", cwd=tmp_path, env=env)
    assert done.returncode == 78 and "[[cron]] one: cron '61" in done.stdout + done.stderr
    (tmp_path / "ganger.toml").write_text(TABLES + "kwargs = { day = 2031-01-01 }\n")
    done = ganger("check", "shop", cwd=tmp_path)
    assert done.returncode == 78 and "cron holds a date or a time" in done.stderr
    (tmp_path / "ganger.toml").write_text("cron = 5\n")
    done = ganger("check", "shop", cwd=tmp_path)
    assert done.returncode == 78 and "ganger.toml line 1: cron must be tables" in done.stderr
