"""Deaths are settled step by step; whoever dies between two steps leaves nothing that a repeat won't mend."""

from random import Random

import msgspec
import pytest

from ganger.cluster import Cluster, Command
from ganger.job import Entry, State
from ganger.keys import Partition
from ganger.operations import claim, control, failing, find, recover, schedule
from ganger.retry import Failure, Policy
from gangerd.messages import Death
from gangerd.recorder import ClaimToken, EntryState
from gangerd.roles.coordinator.burial import Undertaker
from gangerd.roles.coordinator.deathbed import Deathbed
from gangerd.roles.queues import Queues
from support import jobs
from support.jobs import KEYS
from support.roles import HOST, MANIFEST

WORKER = "00000000000000b1"
HELD, STARTED, DONE, TAKEN = EntryState.HELD, EntryState.STARTED, EntryState.DONE, EntryState.TAKEN


def undertaker(cluster: Cluster) -> Undertaker:
    return Undertaker(cluster, KEYS, Queues(cluster, KEYS), MANIFEST["types"], "web-1", Random(1))


def death(entries: list[Entry], states: list[EntryState], **changes: object) -> Death:
    fields: dict[str, object] = {
        "id": "00000000000000d1", "consumer": HOST, "worker": WORKER, "slot": 0, "pid": 77, "generation": 1,
        "at_ms": 5, "cause": "segfault", "uses_attempt": True, "counts_as_crash": True, "signal": 11,
        "held": [jobs.held(entry) for entry in entries],
        "states": [int(state) for state in states],
        "running": states.index(STARTED) if STARTED in states else None,
    }  # fmt: skip
    return Death(**(fields | changes))  # type: ignore[arg-type]


def scene(cluster: Cluster) -> tuple[tuple[Partition, ...], Death]:
    """A worker that held four entries of one partition, one of another, with a claim under way in a third."""
    mail = jobs.queue(cluster)
    jobs.push(cluster, mail[0], 4)
    jobs.push(cluster, mail[1], 1)
    jobs.push(cluster, mail[2], 2)
    entries = jobs.take(cluster, mail[0], HOST, WORKER, 1) + jobs.take(cluster, mail[1], HOST, WORKER, 2)
    jobs.take(cluster, mail[2], HOST, WORKER, 3)
    claimed = ClaimToken(3, "mail", 2)
    return mail, death(entries, [DONE, STARTED, HELD, TAKEN, HELD], claim=claimed)


def test_every_entry_goes_where_its_state_says(cluster: Cluster) -> None:
    mail, died = scene(cluster)
    outcome = undertaker(cluster).bury(died)
    assert (outcome.fate, outcome.errors) == ("retry", [])
    picture = jobs.keyspace(cluster, mail)
    assert picture["partition 0"] == ({0: 2}, 0, 1, 0)
    assert picture["partition 1"] == ({0: 1}, 0, 0, 0)
    assert picture["partition 2"] == ({0: 2}, 0, 0, 0)
    assert picture["counters"] == {"enqueued": 7, "succeeded": 1, "failed": 1, "retried": 1, "released": 5}
    assert (picture["crashes"], picture["totals"]) == ([died.id], {"segfault": 1})
    culprit = died.held[1]
    assert jobs.where(cluster, mail[0], culprit.jid) == ("retrying", 1, 1, 0, 0)
    assert jobs.where(cluster, mail[0], died.held[0].jid) is None


STEPS = 6


@pytest.mark.parametrize("survived", range(STEPS + 1))
def test_a_coordinator_that_dies_between_two_steps_does_no_harm(cluster: Cluster, survived: int) -> None:
    mail, died = scene(cluster)
    steps = list(undertaker(cluster)._steps(died))
    assert len(steps) == STEPS
    for step in steps[:survived]:
        step()
    successor = undertaker(cluster)
    assert successor.bury(died).errors == []
    once = jobs.keyspace(cluster, mail)
    assert once["counters"] == {"enqueued": 7, "succeeded": 1, "failed": 1, "retried": 1, "released": 5}
    assert once["totals"] == {"segfault": 1}
    assert successor.bury(died).errors == []
    assert jobs.keyspace(cluster, mail) == once
    assert notes(cluster, mail[0]) == []


def test_dying_between_closing_a_claim_and_its_release(cluster: Cluster) -> None:
    mail, died = scene(cluster)
    assert len(claim.close(cluster, mail[2], HOST, WORKER, 3)) == 2
    undertaker(cluster).bury(died)
    assert jobs.keyspace(cluster, mail)["partition 2"] == ({0: 2}, 0, 0, 0)


def test_a_claim_that_never_ran_never_will(cluster: Cluster) -> None:
    mail = jobs.queue(cluster)
    undertaker(cluster).bury(death([], [], cause="killed", claim=ClaimToken(1, "mail", 0)))
    jobs.push(cluster, mail[0])
    ghost = claim.claim(cluster, mail[0], HOST, WORKER, 1, budget_us=10**6)
    assert ghost.refused
    assert jobs.seen(cluster, mail[0]).ready == 1


def test_a_claim_whose_entries_stand_in_the_page_is_settled_by_the_page(cluster: Cluster) -> None:
    """The worker had taken up the answer, but not yet taken the token out of its page."""
    mail = jobs.queue(cluster)
    jobs.push(cluster, mail[0], 2)
    entries = jobs.take(cluster, mail[0], HOST, WORKER, 1)
    undertaker(cluster).bury(death(entries, [DONE, HELD], cause="killed", claim=ClaimToken(1, "mail", 0)))
    assert jobs.keyspace(cluster, mail)["counters"] == {"enqueued": 2, "succeeded": 1, "released": 1}


@pytest.mark.parametrize(
    ("type", "changes", "fate", "becomes"),
    [
        ("shop.send", {}, "retry", ("retrying", 1, 1, 0, 0)),
        ("shop.once", {}, "bury", ("dead", 1, 1, 0, 0)),
        ("shop.once", {"cause": "timeout", "counts_as_crash": False}, "discard", None),
        ("unheard.of", {}, "retry", ("retrying", 1, 1, 0, 0)),
        ("shop.send", {"cause": "timeout", "counts_as_crash": False}, "retry", ("retrying", 1, 0, 0, 0)),
        ("shop.send", {"cause": "lost"}, "recover", ("ready", 0, 0, 1, 0)),
        ("shop.once", {"cause": "released"}, "release", ("ready", 0, 0, 0, 1)),
        ("shop.once", {"cause": "permit_lost"}, "release", ("ready", 0, 0, 0, 1)),
    ],
)
def test_what_becomes_of_the_running_job(
    cluster: Cluster, type: str, changes: dict[str, object], fate: str, becomes: tuple[object, ...] | None
) -> None:
    mail = jobs.queue(cluster, count=1)
    (jid,) = jobs.push(cluster, mail[0], type=type)
    entries = jobs.take(cluster, mail[0], HOST, WORKER)
    assert undertaker(cluster).bury(death(entries, [STARTED], **changes)).fate == fate
    assert jobs.where(cluster, mail[0], jid) == becomes


def test_the_third_crash_buries_a_poison_pill(cluster: Cluster) -> None:
    mail = jobs.queue(cluster, count=1)
    (jid,) = jobs.push(cluster, mail[0])
    for number in range(1, 4):
        (entry,) = jobs.take(cluster, mail[0], HOST, WORKER, number)
        fate = undertaker(cluster).bury(death([entry], [STARTED], id=f"death {number}")).fate
        schedule.promote(cluster, mail[0])
    assert fate == "bury"
    assert jobs.where(cluster, mail[0], jid) == ("dead", 3, 3, 0, 0)
    assert control.crash_totals(cluster, KEYS) == {"segfault": 3}


def notes(cluster: Cluster, partition: Partition) -> list[bytes]:
    fields = cluster.run(Command(partition.slot, ("HKEYS", partition.memo)))
    return [field for field in fields if field.startswith(b"v:")]


def judged_lost(cluster: Cluster, partition: Partition) -> None:
    """The lease ran out while nobody could say what had happened."""
    (lease,) = recover.leases(cluster, partition, 0).leases
    (entry,) = find.read(cluster, partition, [(lease.stream, lease.id)])
    assert isinstance(entry, Entry)
    assert recover.recover(cluster, lease, entry, State(lost=1))


def test_a_verdict_that_comes_after_the_judge_still_counts(cluster: Cluster) -> None:
    """The coordinator was away, the job was brought back as lost; but it was the job that had crashed."""
    mail = jobs.queue(cluster, count=1)
    (jid,) = jobs.push(cluster, mail[0])
    entries = jobs.take(cluster, mail[0], HOST, WORKER)
    judged_lost(cluster, mail[0])
    died = death(entries, [STARTED])
    assert undertaker(cluster).bury(died).fate == "noted"
    assert undertaker(cluster).bury(died).fate == "noted"
    (again,) = jobs.take(cluster, mail[0], HOST, WORKER, 2)
    undertaker(cluster).bury(death([again], [STARTED], id="another death"))
    assert jobs.where(cluster, mail[0], jid) == ("retrying", 2, 2, 0, 0)


def test_a_worker_that_reported_its_failure_before_it_died_is_not_counted_twice(cluster: Cluster) -> None:
    mail = jobs.queue(cluster, count=1)
    (jid,) = jobs.push(cluster, mail[0])
    entries = jobs.take(cluster, mail[0], HOST, WORKER)
    told = Failure("exception", "ValueError", worker=WORKER)
    failing.fail(cluster, entries[0], HOST, Policy(backoff=(0.0,)), told, Random(1))
    assert undertaker(cluster).bury(death(entries, [STARTED])).fate == "gone"
    assert jobs.where(cluster, mail[0], jid) == ("retrying", 1, 0, 0, 0)
    assert notes(cluster, mail[0]) == []


def test_an_entry_that_another_host_holds_is_left_alone(cluster: Cluster) -> None:
    """A failover lost our claim, and another host claimed the entry."""
    mail = jobs.queue(cluster, count=1)
    (jid,) = jobs.push(cluster, mail[0])
    entries = jobs.take(cluster, mail[0], "00000000000000ff", WORKER)
    assert undertaker(cluster).bury(death(entries, [STARTED])).fate == "noted"
    assert jobs.where(cluster, mail[0], jid) == ("working", 0, 0, 0, 0)
    undertaker(cluster).bury(death(entries, [HELD]))
    assert jobs.where(cluster, mail[0], jid) == ("working", 0, 0, 0, 0)


def test_a_garbled_page_leaves_everything_to_the_leases(cluster: Cluster) -> None:
    mail = jobs.queue(cluster, count=1)
    jobs.push(cluster, mail[0])
    jobs.take(cluster, mail[0], HOST, WORKER)
    assert undertaker(cluster).bury(death([], [], garbled="wrong magic")).errors == []
    assert jobs.seen(cluster, mail[0]).in_flight == 1


def test_the_deathbed_answers_each_death_and_again_when_asked_again(cluster: Cluster) -> None:
    _, died = scene(cluster)
    told: list[tuple[str, str]] = []
    bed = Deathbed(undertaker(cluster), lambda each, fate: told.append((each.id, fate)))
    bed.arrived(died)
    bed.arrived(died)
    assert bed.work() is None
    bed.arrived(died)
    assert told == [(died.id, "retry"), (died.id, "")]
    assert len(bed) == 0


def test_a_death_that_can_t_be_settled_is_set_aside_and_holds_nobody_up(cluster: Cluster) -> None:
    mail, died = scene(cluster)
    broken = mail[1]
    cluster.run(Command(broken.slot, ("DEL", broken.returned)))
    cluster.run(Command(broken.slot, ("SET", broken.returned, "no stream")))
    told: list[str] = []
    bed = Deathbed(undertaker(cluster), lambda each, fate: told.append(fate))
    bed.arrived(died)
    while len(bed):
        bed._due.set(died.id, 0)
        bed.work()
    assert told == ["retry"]
    assert jobs.keyspace(cluster, mail[:1])["partition 0"] == ({0: 2}, 0, 1, 0)


def test_a_cancelled_job_ends_and_uses_no_attempt_and_its_neighbours_go_back(cluster: Cluster) -> None:
    """The kill was for one run; whoever sends the death twice changes nothing."""
    mail, died = scene(cluster)
    ended = msgspec.structs.replace(
        died, cause="cancelled", uses_attempt=False, counts_as_crash=False, signal=9
    )
    assert undertaker(cluster).bury(ended).fate == "cancelled"
    picture = jobs.keyspace(cluster, mail)
    assert picture["counters"] == {"enqueued": 7, "succeeded": 1, "cancelled": 1, "released": 5}
    assert (picture["crashes"], picture["totals"]) == ([], {})
    assert undertaker(cluster).bury(ended).fate == "gone"
    assert jobs.keyspace(cluster, mail) == picture
