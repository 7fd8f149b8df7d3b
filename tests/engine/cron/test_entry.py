"""Entries: from @job and from [[cron]] tables, all mistakes at once; which ones are in force."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from ganger import Cron, actor, job, sealing
from ganger.actor import Actor
from ganger.cron import roster
from ganger.cron.catalog import in_force
from ganger.cron.entry import CronEntry
from ganger.errors import BadOptions
from ganger.job import decode_body
from ganger.keys import partitions
from ganger.label import split
from ganger.unique import digest, partition_index


@pytest.fixture(autouse=True)
def own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actor, "_registry", {})


def made(name: str = "shop.nightly", **options: Any) -> Actor[Any, Any]:
    def nightly(day: str = "today", *, deep: bool = False) -> None: ...

    named: Callable[..., Actor[Any, Any]] = job(name=name, **options)
    return named(nightly)


def test_a_text_makes_an_entry_with_the_job_s_own_options() -> None:
    one = made(cron="0 3 * * *", tz="Europe/Berlin", queue="mail", priority=7, expires_in=60)
    (entry,) = one.crons
    assert (entry.name, entry.type, entry.cron, entry.tz) == (
        one.name,
        one.name,
        "0 3 * * *",
        "Europe/Berlin",
    )
    assert (entry.queue, entry.priority, entry.expires_in) == ("mail", 7, 60.0)
    assert (entry.missed, entry.overlap, entry.lock) == ("once", "allow", "")


def test_a_list_makes_several() -> None:
    other = Cron("0 9 * * *", tz="UTC", name="morning", args=["x"], kwargs={"deep": True}, overlap="skip")
    one = made(cron=["0 3 * * *", other, Cron("0 4 * * *", retry=2)], tz="Europe/Berlin")
    first, morning, third = one.crons
    assert [first.name, morning.name, third.name] == [one.name, "morning", f"{one.name}:3"]
    assert [first.tz, morning.tz, third.tz] == ["Europe/Berlin", "UTC", "Europe/Berlin"]
    assert (morning.args, morning.kwargs, third.overrides) == (["x"], {"deep": True}, {"retry": 2})


def test_the_job_of_a_tick_carries_what_the_entry_says() -> None:
    (entry,) = made(
        cron=Cron("* * * * *", args=["x"], timeout=5, expires_in=timedelta(seconds=9), overlap="skip")
    ).crons
    label, _ = split(entry.body(1_000, None))
    assert (label.expires_at_ms, label.unique) == (10_000, entry.lock)
    body = decode_body(entry.body(1_000, None))
    assert (body.args, body.overrides, body.pushed_at_ms) == (["x"], {"timeout": 5.0}, 1_000)


def test_the_job_of_a_tick_is_tracked_as_its_type_says() -> None:
    (entry,) = made(cron="@hourly", track=60).crons
    assert split(entry.body(1_000, 900))[0].track_ms == 60_000


def test_an_entry_s_partition_depends_on_its_name_alone() -> None:
    places = partitions("ganger", "mail", 12)
    (entry,) = made(cron="* * * * *").crons
    changed = msgspec.structs.replace(entry, cron="0 0 * * *", args=["x"])
    assert entry.partition(places) == changed.partition(places)
    names = {msgspec.structs.replace(entry, name=f"n{n}").partition(places).index for n in range(99)}
    assert len(names) == 12


def test_of_a_unique_type_the_lock_is_that_of_its_jobs() -> None:
    unique = made(cron=Cron("* * * * *", args=["x"]), unique_for=60, unique_until="start", queue="mail")
    (entry,) = unique.crons
    options = unique.defaults
    assert entry.lock == digest("mail", unique.name, options, [], {"day": "x"})
    assert (entry.hold_ms, entry.until_start) == (60_000, True)
    label, _ = split(entry.body(1_000, None))
    assert (label.unique, label.until_start) == (entry.lock, True)
    places = partitions("ganger", "mail", 12)
    assert entry.partition(places).index == partition_index(entry.lock, 12)


MISTAKES = {
    "schedule": (Cron("61 * * * *"), "can't be read"),
    "zone": (Cron("* * * * *", tz="Mars"), "no time zone"),
    "arguments": (Cron("* * * * *", args=[1, 2, 3]), "too many positional"),
    "argument's type": (Cron("* * * * *", kwargs={"day": 5}), "day"),
    "missed": (Cron("* * * * *", missed="twice"), "skip, once, all"),
    "overlap": (Cron("* * * * *", overlap="queue"), "allow, skip"),
    "window": (Cron("* * * * *", missed_window=-1), "missed_window"),
    "name": (Cron("* * * * *", name="a b"), "the name of a cron entry"),
    "queue": (Cron("* * * * *", queue="{x}"), "queue"),
    "priority": (Cron("* * * * *", priority=11), "priority"),
    "neither text nor Cron": (5, "a Cron"),
    "too big": (Cron("* * * * *", args=["x" * 70_000]), "65,536 bytes"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_named_where_the_job_is_defined(case: str) -> None:
    cron, words = MISTAKES[case]
    with pytest.raises(BadOptions, match=words):
        made(cron=cron)


def test_a_zone_without_a_schedule_is_a_mistake() -> None:
    with pytest.raises(BadOptions, match="tz goes with cron"):
        made(tz="UTC")


def test_all_mistakes_of_an_entry_are_told_at_once() -> None:
    with pytest.raises(BadOptions) as caught:
        made(cron=Cron("61 * * * *", missed="twice", overlap="queue", priority=11, args=[1, 2, 3]))
    for word in ("can't be read", "missed", "overlap", "priority", "too many positional"):
        assert word in str(caught.value)


def collected(*tables: dict[str, Any]) -> tuple[dict[str, CronEntry], list[str]]:
    found, mistakes = roster.collect(tables)
    return {entry["name"]: msgspec.convert(entry, CronEntry) for entry in found}, mistakes


def test_a_table_adds_an_entry_or_takes_the_place_of_one() -> None:
    one = made(cron="0 3 * * *", queue="mail")
    other = f"{one.name}.weekly"
    found, mistakes = collected(
        {"type": one.name, "cron": "0 4 * * *"},
        {"name": other, "type": one.name, "cron": "0 5 * * 1", "tz": "Asia/Tokyo", "args": ["x"]},
    )
    assert not mistakes
    assert (found[one.name].cron, found[one.name].queue) == ("0 4 * * *", "mail")
    assert (found[other].cron, found[other].tz, found[other].args) == ("0 5 * * 1", "Asia/Tokyo", ["x"])
    assert found[other].table and found[one.name].table


def test_of_an_encrypted_type_nothing_lies_in_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "_ring", None)
    monkeypatch.delenv("GANGER_ENCRYPTION_KEYS", raising=False)
    one = made(cron=Cron("* * * * *", args=["4111 1111"]), encrypt=True)
    assert "cron entry shop.nightly: " in collected()[1][0]
    monkeypatch.setenv("GANGER_ENCRYPTION_KEYS", "a:" + "A" * 43 + "=")
    found, mistakes = collected()
    entry = found[one.name]
    assert not mistakes and (entry.args, entry.kwargs) == ([], {})
    body = entry.body(1, None)
    assert b"4111" not in body and sealing.open_body(one.name, decode_body(body)).args == ["4111 1111"]


def test_all_mistakes_of_all_tables_are_told_at_once() -> None:
    one = made()
    _, mistakes = collected(
        {"name": "a", "type": one.name, "cron": "61 * * * *", "tz": "Mars"},
        {"name": "b", "type": one.name[:-1], "cron": "* * * * *"},
        {"name": "c", "type": one.name, "cron": "* * * * *", "every": 5},
        {"name": "d", "type": one.name, "cron": "* * * * *"},
        {"name": "d", "type": one.name, "cron": "* * * * *"},
        {"cron": 5},
    )
    told = "\n".join(mistakes)
    for words in (
        "a: cron '61",
        "a: tz 'Mars'",
        f"b: the app has no job type '{one.name[:-1]}': did you mean",
    ):
        assert f"[[cron]] {words}" in told
    for words in (
        "c: there is no 'every'",
        "d: two tables of that name",
        "number 6: type is missing",
    ):
        assert f"[[cron]] {words}" in told
    assert len(mistakes) == 6


def test_two_entries_of_the_code_with_one_name_are_a_mistake() -> None:
    made("shop.one", cron=Cron("* * * * *", name="twice"))
    made("shop.two", cron=Cron("* * * * *", name="twice"))
    assert collected()[1] == ["cron entry twice: two of that name; give one of them another."]


def announced(*hosts: tuple[str, str, int, str], **lists: str) -> dict[str, bytes]:
    """(host, app, since, list), and for each list its entries by name, as "name=cron,..."; + for a table."""
    found = {f"h:{host}": f"9 {since} {listed} {app}".encode() for host, app, since, listed in hosts}
    for name_of_list, text in lists.items():
        rows = [row.split("=") for row in text.split(",") if row]
        entries = [
            CronEntry(name.strip("+"), "t", cron, "UTC", "q", 5, table=name.startswith("+"))
            for name, cron in rows
        ]
        found[f"d:{name_of_list}"] = msgspec.json.encode(entries)
    return found


OLD, NEW = "nightly=@daily,gone=@daily", "nightly=@hourly"
VERSIONS = {
    "one host": (announced(("a", "shop", 5, "old"), old=OLD), {"nightly": "@daily", "gone": "@daily"}),
    "the list that appeared last counts, whole": (
        announced(("a", "shop", 5, "old"), ("b", "shop", 7, "new"), old=OLD, new=NEW),
        {"nightly": "@hourly"},
    ),
    "an old host that restarts makes its list no newer": (
        announced(
            ("a", "shop", 5, "old"), ("b", "shop", 7, "new"), ("c", "shop", 9, "old"), old=OLD, new=NEW
        ),
        {"nightly": "@hourly"},
    ),
    "rolled back: the old list has appeared again": (
        announced(("b", "shop", 7, "new"), ("c", "shop", 9, "old"), old=OLD, new=NEW),
        {"nightly": "@daily", "gone": "@daily"},
    ),
    "lists of two apps add up": (
        announced(("a", "shop", 5, "one"), ("b", "bank", 7, "two"), one="x=@daily", two="y=@hourly"),
        {"x": "@daily", "y": "@hourly"},
    ),
    "one name in two apps: the list that appeared last": (
        announced(("a", "shop", 8, "one"), ("b", "bank", 7, "two"), one="x=@daily", two="x=@hourly"),
        {"x": "@daily"},
    ),
    "a version that dropped its last entry": (
        announced(("a", "shop", 5, "old"), ("b", "shop", 7, "none"), old=OLD, none=""),
        {},
    ),
    "tables count wherever a live host has one": (
        announced(
            ("a", "shop", 5, "one"), ("b", "shop", 7, "two"), one="+x=@daily,y=@daily", two="+z=@hourly"
        ),
        {"x": "@daily", "z": "@hourly"},
    ),
    "a table comes before code, also of a newer list": (
        announced(("a", "shop", 5, "one"), ("b", "shop", 7, "two"), one="+x=@daily", two="x=@hourly"),
        {"x": "@daily"},
    ),
    "of two tables of one name, that of the newer list": (
        announced(("a", "shop", 5, "one"), ("b", "shop", 7, "two"), one="+x=@daily", two="+x=@hourly"),
        {"x": "@hourly"},
    ),
    "what can't be read has no say": ({"h:a": b"9 x y", "h:b": b"\xff", "d:old": b"[", "": b""}, {}),
    "a list that is missing": (announced(("a", "shop", 5, "old")), {}),
}


@pytest.mark.parametrize("case", VERSIONS)
def test_which_entries_are_in_force(case: str) -> None:
    hash, expected = VERSIONS[case]
    assert {name: entry.cron for name, entry in in_force(hash).items()} == expected
