"""once: the block runs once per key, its result is handed on, and a dead holder holds nobody up."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from ganger import Client, StillPending, forget_once, once
from ganger.command import Command
from ganger.config import EngineConfig
from ganger.current import enter, leave
from ganger.errors import (
    BadName,
    BadOptions,
    FailedBefore,
    GangerError,
    OutcomeUnknown,
    ResultNotKept,
    Superseded,
)
from ganger.job import Body, Entry, State, encode_body
from ganger.keys import OnceMark, partitions
from ganger.once import MAX_RESULT_BYTES, PENDING_S
from ganger.operations import once as marks
from support.keyspace import snapshot
from support.servers import ClusterServers

MAIL = partitions("ganger", "mail", 12)[3]


@pytest.fixture
def client(cluster_servers: ClusterServers) -> Iterator[Client]:
    one = Client(EngineConfig(cluster_servers.settings()))
    yield one
    one.close()


@pytest.fixture(autouse=True)
def out_of_the_job() -> Iterator[None]:
    yield
    leave()


def deliver(number: int, jid: str = "job-1", *, attempt: int = 1, timeout: float | None = None) -> None:
    """This process now runs the number-th delivery of a job, as a worker would."""
    body = encode_body(Body(overrides={} if timeout is None else {"timeout": timeout}))
    entry = Entry(MAIL, 5, b"%d-1" % number, jid, "shop.charge", State(attempts=attempt - 1), body)
    enter(jid, attempt, "shop.charge", "mail", {}, entry)


def mark(client: Client, key: str = "charge:42") -> dict[bytes, bytes]:
    where = OnceMark(client.namespace, key)
    flat = client.cluster.run(Command(where.slot, ("HGETALL", where.mark)))
    return dict(zip(flat[::2], flat[1::2], strict=True))


def die_inside(client: Client, **options: Any) -> None:
    """Begin, and never end: as if the process had been killed in the block."""
    once("charge:42", 3600, client=client, **options).__enter__()


def test_the_block_runs_once_and_its_result_is_handed_on(client: Client) -> None:
    firsts, results = [], []
    for _ in range(3):
        with once("charge:42", ttl=timedelta(days=1), client=client) as step:
            firsts.append(step.first)
            if step.first:
                step.result = {"id": 7, "parts": (1, 2)}
        results.append(step.result)
    assert firsts == [True, False, False]
    assert results == [{"id": 7, "parts": [1, 2]}] * 3, "as JSON gives it, the first time as well"


def test_in_one_go(client: Client) -> None:
    calls: list[int] = []

    def charge() -> str:
        calls.append(1)
        return "paid"

    assert [once("charge:42", 60, charge, client=client) for _ in range(3)] == ["paid"] * 3
    assert calls == [1]
    assert once("charge:43", 60, charge, client=client) == "paid"
    assert calls == [1, 1]


def test_in_an_event_loop(client: Client) -> None:
    async def twice() -> list[Any]:
        found = []
        for number in range(2):
            async with once("charge:42", 60, client=client) as step:
                if step.first:
                    step.result = number
            found.append(step.result)
        return found

    assert asyncio.run(twice()) == [0, 0]

    run: Any = twice
    with pytest.raises(BadOptions, match="async with once"):
        once("charge:42", 60, run, client=client)


def test_a_second_caller_hears_that_it_is_under_way_and_when_to_come_back(client: Client) -> None:
    deliver(5, "job-1", attempt=2)
    with once("charge:42", 60, client=client, pending_ttl=4):
        deliver(6, "job-2")
        with pytest.raises(StillPending, match="attempt 2 of job job-1") as caught:
            once("charge:42", 60, lambda: 1, client=client)
        assert (caught.value.jid, caught.value.attempt) == ("job-1", 2)
        assert 0 < caught.value.retry_in_s <= 4
        leave()
        with pytest.raises(StillPending):
            once("charge:42", 60, lambda: 1, client=client)
    assert once("charge:42", 60, lambda: 1, client=client) is None


def test_a_failed_block_runs_again_or_fails_again(client: Client) -> None:
    with pytest.raises(LookupError), once("charge:42", 60, client=client):
        raise LookupError("no such card")
    with pytest.raises(FailedBefore, match="LookupError: no such card"):
        once("charge:42", 60, lambda: 1, failed="raise", client=client)
    with once("charge:42", 60, client=client) as step:
        assert (step.first, step.interrupted) == (True, False)


# ---- crash points


def test_the_holder_dies_in_the_block_and_its_next_delivery_takes_over_at_once(client: Client) -> None:
    deliver(5)
    die_inside(client)
    deliver(6, attempt=2)
    with once("charge:42", 60, client=client) as step:
        assert (step.first, step.interrupted) == (True, True)
        step.result = "paid"
    deliver(7, attempt=3)
    assert once("charge:42", 60, lambda: "again", client=client) == "paid"


def test_the_holder_dies_in_the_block_and_another_takes_over_when_the_mark_is_free(client: Client) -> None:
    deliver(5)
    die_inside(client)
    deliver(6, "job-2")
    with pytest.raises(StillPending):
        once("charge:42", 60, lambda: 1, client=client)
    where = OnceMark("ganger", "charge:42")
    client.cluster.run(Command(where.slot, ("HSET", where.mark, "until", "1")))
    assert once("charge:42", 60, lambda: "done by another", client=client) == "done by another"


def test_a_delivery_that_lost_its_lease_can_t_end_what_the_later_one_has_begun(client: Client) -> None:
    deliver(5)
    with (
        pytest.raises(Superseded, match="another holder has begun"),
        once("charge:42", 60, client=client) as early,
    ):
        deliver(6)
        with once("charge:42", 60, client=client) as late:
            late.result = "late"
        early.result = "early"
    assert mark(client)[b"value"] == b'="late"'


def test_a_delivery_that_lost_its_lease_does_not_begin_what_the_later_one_is_at(client: Client) -> None:
    deliver(6)
    with once("charge:42", 60, client=client) as late:
        deliver(5)
        with pytest.raises(Superseded, match="lost its lease"):
            once("charge:42", 60, lambda: 1, client=client)
        late.result = "late"
    assert once("charge:42", 60, lambda: "early", client=client) == "late", (
        "what is done is handed even to it"
    )


def test_the_reply_of_begin_is_lost_and_the_same_delivery_or_a_later_one_goes_on(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ran; the transport repeats it with the same token, and what it can't repeat it tells."""
    deliver(5)
    true_begin = marks.begin

    def runs_twice(*args: Any, **options: Any) -> Any:
        true_begin(*args, **options)
        return true_begin(*args, **options)

    def runs_and_is_lost(*args: Any, **options: Any) -> Any:
        true_begin(*args, **options)
        raise OutcomeUnknown("no reply")

    monkeypatch.setattr(marks, "begin", runs_twice)
    assert once("charge:41", 60, lambda: 1, client=client) == 1
    monkeypatch.setattr(marks, "begin", runs_and_is_lost)
    with pytest.raises(OutcomeUnknown):
        once("charge:42", 60, lambda: 1, client=client)
    monkeypatch.setattr(marks, "begin", true_begin)
    deliver(6, attempt=2)
    assert once("charge:42", 60, lambda: 2, client=client) == 2


def test_the_reply_of_end_is_lost_and_the_next_delivery_has_the_result(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver(5)
    true_end = marks.end

    def runs_and_is_lost(*args: Any, **options: Any) -> Any:
        true_end(*args, **options)
        true_end(*args, **options)
        raise OutcomeUnknown("no reply")

    monkeypatch.setattr(marks, "end", runs_and_is_lost)
    with pytest.raises(OutcomeUnknown):
        once("charge:42", 60, lambda: "paid", client=client)
    deliver(6, attempt=2)
    assert once("charge:42", 60, lambda: "again", client=client) == "paid"


def test_an_end_that_never_arrives_leaves_the_block_s_own_error_alone(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_lost(*args: Any, **options: Any) -> Any:
        raise OutcomeUnknown("no reply")

    monkeypatch.setattr(marks, "end", is_lost)
    with pytest.raises(LookupError) as caught, once("charge:42", 60, client=client):
        raise LookupError("no such card")
    assert "could not be noted: no reply" in caught.value.__notes__[0]


# ---- results and names


@pytest.mark.parametrize(
    ("result", "text"), [("x" * MAX_RESULT_BYTES, "at most 65536 are kept"), (object(), "no plain JSON")]
)
def test_a_result_that_can_t_be_kept_is_told_and_the_block_does_not_run_again(
    client: Client, result: Any, text: str
) -> None:
    calls: list[int] = []

    def charge() -> Any:
        calls.append(1)
        return result

    for _ in range(2):
        with pytest.raises(ResultNotKept, match=text):
            once("charge:42", 60, charge, client=client)
    assert calls == [1]


def test_a_mark_is_pending_for_as_long_as_the_job_may_run(client: Client) -> None:
    def pending_s(key: str) -> float:
        with once(key, 60, client=client):
            where = OnceMark(client.namespace, key)
            return int(client.cluster.run(Command(where.slot, ("PTTL", where.mark)))) / 1000

    deliver(5, timeout=900)
    assert 900 < pending_s("a") < 915
    leave()
    assert PENDING_S - 60 < pending_s("b") <= PENDING_S


def test_a_forgotten_mark_lets_the_block_run_again(client: Client) -> None:
    assert once("charge:42", 60, lambda: 1, client=client) == 1
    assert forget_once("charge:42", client=client)
    assert not forget_once("charge:42", client=client)
    assert once("charge:42", 60, lambda: 2, client=client) == 2


def test_the_key_itself_shows_nowhere_and_marks_spread_over_slots(
    client: Client, cluster_servers: ClusterServers
) -> None:
    once("reset:ann@example.org", 60, lambda: 1, client=client)
    assert b"ann@example.org" not in repr(snapshot(cluster_servers)).encode()
    assert "ann@" not in repr(OnceMark("ganger", "reset:ann@example.org"))
    assert len({OnceMark("ganger", f"charge:{number}").slot for number in range(100)}) > 90


@pytest.mark.parametrize(
    ("given", "error", "text"),
    [
        ({"key": ""}, BadName, "1 to 512"),
        ({"key": "x" * 513}, BadName, "1 to 512"),
        ({"ttl": 0}, BadOptions, "ttl"),
        ({"pending_ttl": -1}, BadOptions, "pending_ttl"),
        ({"failed": "never"}, BadOptions, '"again" or "raise"'),
    ],
)
def test_bad_words_are_named(
    client: Client, given: dict[str, Any], error: type[GangerError], text: str
) -> None:
    with pytest.raises(error, match=text):
        once(**{"key": "charge:42", "ttl": 60, "client": client, **given})
