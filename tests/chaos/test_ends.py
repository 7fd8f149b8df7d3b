"""Who may end in a chaos run, and who may not: each planted, beside the same record without it."""

from typing import Any

import pytest

from chaos.checker import Findings
from chaos.ends import PROCESSES, Ends, check_ends, check_work
from chaos.evidence import Evidence, Strike
from chaos.nemeses import processes
from chaos.story import ns


class Record:
    def __init__(self) -> None:
        self.ends, self.evidence = Ends(), Evidence()

    def note(self, what: str, at: float, **about: Any) -> None:
        self.ends.read_record([{"what": what, "at_ns": ns(at), **about}])

    def log(self, *lines: tuple[float, str, dict[str, Any]], log: str = "log.1") -> None:
        told = [{"at_ns": ns(at), "event": event, **about} for at, event, about in lines]
        self.ends.read_log(told, "north", log)

    def struck(self, name: str, begin: float, end: float) -> None:
        self.evidence.strikes.append(Strike(name, ns(begin), ns(end)))

    def wrong(self) -> list[str]:
        found = Findings()
        check_ends(found, self.ends, self.evidence)
        assert {each.rule for each in found.violations} <= {"I16"}
        return [each.text for each in found.violations]


@pytest.fixture
def record() -> Record:
    return Record()


MASTER = {"of": "north", "pid": 7, "log": "log.1", "asked": False}
PRODUCER = {"of": "producer 1", "pid": 8, "asked": False}


@pytest.mark.parametrize("about", [MASTER, PRODUCER], ids=["master", "producer"])
def test_who_was_killed_was_killed_by_us(record: Record, about: dict[str, Any]) -> None:
    record.note("ended", 20, **about, exit_code=-9)
    (text,) = record.wrong()
    assert "ended by itself: exit code -9" in text
    record.note("kill", 10, killed=[about["pid"]])
    assert record.wrong() == []


@pytest.mark.parametrize("at", [-100, 21], ids=["long ago", "afterwards"])
def test_a_kill_of_another_time_explains_no_end(record: Record, at: float) -> None:
    record.note("kill", at, killed=[7])
    record.note("ended", 20, **MASTER, exit_code=-9)
    assert record.wrong()


@pytest.mark.parametrize("code", [1, 78, -11, 0])
def test_a_master_that_crashes_is_wrong_though_all_is_under_fire(record: Record, code: int) -> None:
    record.log((1, "role.started", {}), (2, "master.serving", {}))
    record.struck("cut a host off", 0, 30)
    record.note("kill", 10, killed=[99])
    record.note("ended", 20, **MASTER, exit_code=code)
    assert record.wrong()


def test_a_host_that_was_asked_to_end_ends_well(record: Record) -> None:
    record.note("restart", 15, of="north")
    record.note("ended", 20, **MASTER, exit_code=0)
    record.note("ended", 30, **MASTER | {"asked": True}, exit_code=0)
    assert record.wrong() == []
    record.note("ended", 30, **MASTER | {"asked": True}, exit_code=-9)
    assert record.wrong() == ["north (pid 7) ended by itself: exit code -9 though it was asked to end"]


GIVES_UP: list[tuple[float, str, dict[str, Any]]] = [
    (1.0, "role.started", {}),
    (2.0, "role.failed", {}),
    (3.0, "master.stopped", {"exit_code": 78}),
]


@pytest.mark.parametrize(
    ("name", "first", "wrong"),
    [
        ("change the password", "role.started", False),
        ("kill a worker", "role.started", True),
        ("change the password", "master.serving", True),
        ("", "role.started", True),
    ],
)
def test_a_host_may_give_up_at_its_start_when_a_server_was_struck(
    record: Record, name: str, first: str, wrong: bool
) -> None:
    record.log((0.9, first, {}), *GIVES_UP)
    record.struck(name, 0, 2) if name else None
    record.note("ended", 4, **MASTER, exit_code=78)
    assert bool(record.wrong()) == wrong


def test_one_that_says_another_exit_code_than_it_has_did_not_give_up(record: Record) -> None:
    record.log(*GIVES_UP)
    record.struck("change the password", 0, 2)
    record.note("ended", 4, **MASTER, exit_code=1)
    assert record.wrong()


@pytest.mark.parametrize("code", [0, 1])
def test_a_producer_that_ends_by_itself_is_wrong(record: Record, code: int) -> None:
    record.note("ended", 20, **PRODUCER, exit_code=code)
    assert record.wrong()


@pytest.mark.parametrize(
    ("how", "name", "wrong"),
    [
        ("signal 9", "stop a coordinator", False),
        ("signal 9", "", True),
        ("signal 11", "stop a coordinator", True),
        ("exit code 1", "refuse connections", False),
        ("exit code 1", "stop a coordinator", True),
        ("exit code 3", "refuse connections", True),
    ],
)
def test_a_role_dies_of_us_or_for_want_of_a_server(record: Record, how: str, name: str, wrong: bool) -> None:
    record.log((20, "role.died", {"role": "coordinator", "child": 5, "how": how}))
    record.struck(name, 8, 10) if name else None
    assert bool(record.wrong()) == wrong
    record.note("kill", 19, killed=[5])
    assert record.wrong() == []


@pytest.mark.parametrize(
    ("about", "wrong"),
    [
        ({"cause": "killed", "type": "noop"}, True),
        ({"cause": "segfault", "type": "segfaults"}, False),
        ({"cause": "segfault", "type": "noop"}, True),
        ({"cause": "timeout", "type": "hangs"}, False),
        ({"cause": "timeout", "type": "noop"}, True),
        ({"cause": "exit", "type": "", "exit_code": 0}, False),
        ({"cause": "exit", "type": "", "exit_code": 1}, True),
        ({"cause": "permit_lost", "type": "narrow"}, False),
        ({"cause": "permit_lost", "type": "noop"}, True),
        ({"cause": "released", "type": "lingers"}, True),
        ({"cause": "anything", "type": "noop"}, True),
    ],
)
def test_a_worker_dies_of_us_or_of_its_job(record: Record, about: dict[str, Any], wrong: bool) -> None:
    line = {"child": 5, "told": "it died", "exit_code": None, **about}
    record.log((20, "worker.died", line))
    assert record.wrong() == (["north: it died"] if wrong else [])
    record.note("kill", 20.5, killed=[5])  # the log's clock and ours
    assert record.wrong() == []


def test_a_drain_may_end_a_worker(record: Record) -> None:
    line = {"child": 5, "told": "it died", "cause": "released", "type": "lingers", "exit_code": None}
    record.log((19, "master.draining", {}), (20, "worker.died", line))
    assert record.wrong() == []


def test_nobody_says_what_nobody_should(record: Record) -> None:
    record.log((1, "internal.error", {"process": "coordinator", "error": "KeyError: 3"}))
    record.ends.strange("north, log.1", "Traceback (most recent call last):\n")
    record.ends.hear_producers("Traceback...\nOverflowError: cannot convert float infinity to integer\n")
    first, second, third = record.wrong()
    assert "KeyError: 3" in first and "Traceback" in second
    assert third == "a producer: OverflowError: cannot convert float infinity to integer"


def test_producers_that_say_nothing_are_well(record: Record) -> None:
    record.ends.hear_producers("")
    assert record.wrong() == []


def test_an_empty_history_proves_nothing() -> None:
    found = Findings()
    check_work(found)
    assert [each.rule for each in found.violations] == ["I16", "I16"]
    found = Findings()
    found.sorts.update(acknowledged=1, executed=1)
    check_work(found)
    assert found.violations == []


def test_the_strikes_at_processes_are_those_of_their_nemeses() -> None:
    stage: Any = None
    assert {each.name for each in processes.nemeses(stage)} == PROCESSES
