"""What a death means for each entry: by the page's word."""

import msgspec
import pytest

from gangerd.messages import Death
from gangerd.recorder import EntryState, Held
from gangerd.roles.coordinator.verdicts import by_stream, estate, failure, is_crash_record, record

GONE, HELD, DONE = EntryState.GONE, EntryState.HELD, EntryState.DONE
STARTED, TAKEN = EntryState.STARTED, EntryState.TAKEN


def held(number: int, partition: int = 0, stream: int = 5) -> Held:
    return Held("mail", partition, stream, f"{number}-1", f"jid{number}", "shop.send", 1)


def death(states: list[EntryState], **changes: object) -> Death:
    fields: dict[str, object] = {
        "id": "d1", "consumer": "aa", "worker": "w1", "slot": 0, "pid": 77, "generation": 1, "at_ms": 5,
        "cause": "segfault", "uses_attempt": True, "counts_as_crash": True, "signal": 11,
        "held": [held(number) for number in range(len(states))],
        "states": [int(state) for state in states],
        "running": states.index(STARTED) if STARTED in states else None,
    }  # fmt: skip
    return Death(**(fields | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("states", "settled", "released", "running"),
    [
        ([], [], [], None),
        ([STARTED], [], [], 0),
        ([DONE, DONE, STARTED, HELD, HELD], [0, 1], [3, 4], 2),
        ([DONE, GONE, TAKEN, HELD], [0], [2, 3], None),
        ([GONE, GONE], [], [], None),
    ],
)
def test_entries_go_where_their_state_says(
    states: list[EntryState], settled: list[int], released: list[int], running: int | None
) -> None:
    left = estate(death(states))
    assert [each.id for rows in left.settle.values() for each in rows] == [f"{n}-1" for n in settled]
    assert [each.id for rows in left.release.values() for each in rows] == [f"{n}-1" for n in released]
    assert (left.running.id if left.running else None) == (None if running is None else f"{running}-1")


def test_each_partition_is_apart() -> None:
    left = estate(death([HELD, HELD], held=[held(1, 0), held(2, 3)]))
    assert list(left.release) == [("mail", 0), ("mail", 3)]


@pytest.mark.parametrize("changes", [{"garbled": "wrong magic"}, {"states": []}, {"states": [1, 1, 1]}])
def test_what_can_t_be_read_is_left_to_the_leases(changes: dict[str, object]) -> None:
    left = estate(msgspec.structs.replace(death([STARTED, HELD]), **changes))
    assert (left.settle, left.release, left.running) == ({}, {}, None)


def test_ids_are_grouped_by_stream() -> None:
    rows = [held(1, stream=5), held(2, stream=0), held(3, stream=5)]
    assert by_stream(rows) == {5: [b"1-1", b"3-1"], 0: [b"2-1"]}


def test_the_master_s_evidence_overrules_the_table_of_causes() -> None:
    told = failure(death([STARTED], cause="timeout", counts_as_crash=False), "web-1")
    assert (told.cause, told.uses_attempt, told.counts_as_crash) == ("timeout", True, False)
    assert (told.worker, told.host, told.error) == ("w1", "web-1", "signal 11")


@pytest.mark.parametrize(
    ("states", "cause", "recorded"),
    [
        ([STARTED], "segfault", True),
        ([STARTED], "lost", True),
        ([STARTED], "released", False),
        ([HELD], "killed", False),
    ],
)
def test_only_a_job_that_ran_makes_a_crash_record(
    states: list[EntryState], cause: str, recorded: bool
) -> None:
    assert is_crash_record(death(states, cause=cause)) is recorded


def test_a_record_has_the_promised_fields() -> None:
    promised = (
        "jid type queue attempt cause signal exit_code worker pid host generation at_ms ran_ms peak_rss_bytes"
        " stack evidence"
    )
    made = record(death([STARTED]), "web-1")
    assert set(promised.split()) <= made.keys()
    assert (made["jid"], made["type"], made["queue"], made["host"]) == ("jid0", "shop.send", "mail", "web-1")
