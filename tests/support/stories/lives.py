"""The life of a job from its claim on: done, with a result, failing, dead, given back, lost, cancelled."""

from typing import Any

from ganger.cluster import Cluster
from ganger.job import BLANK, Entry, State
from ganger.label import Label
from ganger.operations import cancel, claim, dead, enqueue, failing, find, recover, schedule, track
from ganger.retry import Bury, Discard, Retry
from support.keyspace import HOST, MAIL, OTHER_HOST, WORKER, opened
from support.stage import COSTS, Stage
from support.stories.registry import all_at, jobs, pushed, story


def decide(stage: Stage, entry: Entry, decision: Any) -> failing.Outcome:
    return stage.act(lambda c: failing.apply(c, entry, HOST, decision))


@story
def done(stage: Stage) -> None:
    opened(stage.cluster)
    made = jobs(3)
    stage.begin()
    stage.act(lambda c: enqueue.push(c, MAIL, 5, made), named=True)
    stage.settle(stage.take())
    assert stage.take() == []
    stage.sure(all_at(made, "gone"))
    assert stage.counters()["succeeded"] == 3


@story
def done_with_a_result(stage: Stage) -> None:
    """Tracked: progress, a checkpoint, a lease renewed, a result that is kept, then the end."""
    (jid,) = pushed(stage, 1, Label(track_ms=3_600_000))
    stage.begin()
    (entry,) = stage.take()
    stage.act(lambda c: track.keep(c, entry, HOST, "p", track.progress_value(50.0, "half")))
    stage.act(lambda c: track.keep(c, entry, HOST, "c", b"7"))
    stage.act(
        lambda c: claim.parse_renew(c.run(claim.renew_command(MAIL, HOST, {entry.stream: [entry.id]})), MAIL)
    )
    kept = stage.act(lambda c: track.put_result(c, entry, b"42", 3_600_000))
    stage.act(lambda c: track.finish(c, entry, 5, kept))
    stage.sure({jid: "gone"})
    end = track.read(stage.cluster, MAIL, jid).end
    assert end is not None and end.how == "succeeded" and end.kept is not None
    assert track.get_result(stage.cluster, MAIL, jid, end.kept) == b"42"


def run_now(cluster: Cluster, jid: str) -> int:
    """As `ganger retry` does it: where it was found, as it was found."""
    seen = find.find(cluster, MAIL, jid)
    if seen is not None and seen.due_at_ms is not None:
        return schedule.hasten(cluster, MAIL, [jid], due_ms=seen.due_at_ms)
    if seen is not None and seen.dead_at_ms is not None:
        return dead.retry(cluster, MAIL, [dead.Letter(jid, seen.record.state, seen.dead_at_ms)])
    return 0


@story
def retried(stage: Stage) -> None:
    (jid,) = pushed(stage)
    stage.begin()
    (entry,) = stage.take()
    decide(stage, entry, Retry(-10, State(attempts=1)))
    stage.act(lambda c: schedule.promote(c, MAIL))
    (entry,) = stage.take()
    assert entry.state.attempts == 1
    decide(stage, entry, Retry(60_000, State(attempts=2)))
    stage.act(lambda c: run_now(c, jid))
    (entry,) = stage.take()
    assert entry.state.attempts == 2
    decide(stage, entry, Retry(60_000, State(attempts=3)))
    stage.sure({jid: "later"}, ran=3)
    counters = stage.counters()
    assert counters["failed"] == 3 and "dead" not in counters


@story
def exhausted(stage: Stage) -> None:
    (jid,) = pushed(stage)
    stage.begin()
    (entry,) = stage.take()
    decide(stage, entry, Discard(State(attempts=26)))
    stage.sure({jid: "gone"})
    assert stage.counters()["exhausted"] == 1


@story
def dead_and_revived(stage: Stage) -> None:
    """And dead again, and then left dead: nothing late brings it back."""
    (jid,) = pushed(stage)
    stage.begin()
    (entry,) = stage.take()
    decide(stage, entry, Bury(State(attempts=2)))
    stage.act(lambda c: run_now(c, jid))
    (entry,) = stage.take()
    decide(stage, entry, Bury(State(attempts=1)))
    stage.sure({jid: "dead"}, ran=2)


@story
def dead_and_deleted(stage: Stage) -> None:
    (jid,) = pushed(stage)
    stage.begin()
    (entry,) = stage.take()
    decide(stage, entry, Bury(State(attempts=2)))
    stage.act(lambda c: dead.delete(c, MAIL, [jid]))
    stage.sure({jid: "gone"})


@story
def given_back(stage: Stage) -> None:
    """Then taken by another host, which runs it to its end."""
    (jid,) = pushed(stage)
    stage.begin()
    (entry,) = stage.take()
    stage.act(lambda c: failing.release(c, MAIL, HOST, [(entry, None)]))
    (again,) = stage.take(host=OTHER_HOST)
    stage.settle([again])
    stage.sure({jid: "gone"}, ran=2)


@story
def a_worker_dead_with_its_claim(stage: Stage) -> None:
    """The coordinator closes the claim that the page names, gives back what it took, and closes one that
    never came: neither that nor anything late takes a job for the dead."""
    (jid,) = pushed(stage)
    stage.begin()
    stage.act(lambda c: claim.claim(c, MAIL, HOST, WORKER, 7, budget_us=10**9, costs=COSTS), lambda c: None)
    refs = stage.act(lambda c: claim.close(c, MAIL, HOST, WORKER, 7))
    left = [Entry(MAIL, stream, id, "", "", BLANK, b"") for stream, id in refs]
    stage.act(lambda c: failing.release(c, MAIL, HOST, [(entry, None) for entry in left]))
    assert stage.act(lambda c: claim.close(c, MAIL, HOST, WORKER, 8)) == []
    (entry,) = stage.take(host=OTHER_HOST)
    stage.settle([entry])
    stage.sure({jid: "gone"})


@story
def done_where_scripts_were_flushed(stage: Stage) -> None:
    """Each is sent once more with its source."""
    (jid,) = pushed(stage)
    for node in stage.servers.nodes:
        node.call("SCRIPT FLUSH")
    stage.begin()
    (entry,) = stage.take()
    stage.settle([entry])
    stage.load_scripts()
    stage.sure({jid: "gone"})


def lose(stage: Stage, entry: Entry, *, bury: bool = False) -> None:
    """The scheduler's: the lease of a host that is gone ran out."""

    def judged(cluster: Cluster) -> bool:
        for lease in recover.leases(cluster, MAIL, 0).leases:
            if lease.id == entry.id:
                (seen,) = find.read(cluster, MAIL, [(lease.stream, lease.id)])
                if isinstance(seen, Entry):
                    return recover.recover(cluster, lease, seen, State(lost=entry.state.lost + 1), bury=bury)
        return False

    stage.act(judged)


@story
def lost_with_its_host(stage: Stage) -> None:
    """It comes back, its death is noted late and counted when it fails again; lost once more it is buried."""
    (jid,) = pushed(stage)
    stage.begin()
    (entry,) = stage.take()
    lose(stage, entry)
    stage.act(lambda c: recover.note_crash(c, MAIL, jid, "death-1"))
    (again,) = stage.take(host=OTHER_HOST)
    assert again.state.lost == 1 and again.id != entry.id
    lose(stage, again, bury=True)
    stage.sure({jid: "dead"}, ran=2)
    assert stage.counters()["lost"] == 2


@story
def the_lost_one_comes_back(stage: Stage) -> None:
    """Its lease was taken; whatever it says now moves nothing that is another's."""
    (jid,) = pushed(stage)
    stage.begin()
    (entry,) = stage.take()
    lose(stage, entry)
    (again,) = stage.take(host=OTHER_HOST)
    assert decide(stage, entry, Retry(-10, State(attempts=1))) == failing.Outcome.GONE
    renewing = claim.renew_command(MAIL, HOST, {entry.stream: [entry.id]})
    assert stage.act(lambda c: claim.parse_renew(c.run(renewing), MAIL)).lost == [(entry.stream, entry.id)]
    stage.sure({jid: "held"}, ran=2)
    stage.settle([again])
    stage.sure({jid: "gone"}, ran=2)


@story
def a_crash_noted(stage: Stage) -> None:
    """Counted once, however often it was told."""
    (jid,) = pushed(stage)
    stage.begin()
    (entry,) = stage.take()
    lose(stage, entry)
    stage.act(lambda c: recover.note_crash(c, MAIL, jid, "death-1"))
    (again,) = stage.take()

    def fail(cluster: Cluster) -> int:
        try:
            failing.apply(cluster, again, HOST, Discard(State(attempts=1)))
        except failing._Noted as found:
            failing.apply(cluster, again, HOST, Discard(State(attempts=2)), found.count)
            return found.count
        return 0

    assert stage.act(fail) in (0, 1)
    stage.sure({jid: "gone"}, ran=2)


def end_it(jid: str) -> Any:
    """Cancel, as a client does it: where it is found."""

    def end(cluster: Cluster) -> cancel.Cancel:
        found = find.find(cluster, MAIL, jid)
        if found is None:
            return cancel.Cancel.CANCELLED
        return cancel.cancel(cluster, MAIL, jid, stream=found.stream, id=found.id)

    return end


@story
def cancelled_while_it_waits(stage: Stage) -> None:
    first, second = pushed(stage, 2)
    stage.begin()
    later = jobs(1)
    stage.act(lambda c: enqueue.schedule(c, MAIL, 5, later, delay_ms=60_000), named=True)
    # Repeated by the transport it finds nothing any more, and says so.
    nowhere = (cancel.Cancel.CANCELLED, cancel.Cancel.MOVED)
    assert stage.act(end_it(first)) in nowhere
    assert stage.act(end_it(later[0].jid)) in nowhere
    stage.settle(stage.take())
    stage.sure(dict.fromkeys((first, second, later[0].jid), "gone"))
    assert stage.counters()["cancelled"] == 2 and first not in stage.ran


@story
def cancelled_while_it_runs(stage: Stage) -> None:
    """Its host hears of it with a renewal, and whatever moves it ends it."""
    (jid,) = pushed(stage)
    stage.begin()
    (entry,) = stage.take()
    assert stage.act(end_it(jid)) is cancel.Cancel.ASKED
    renewing = claim.renew_command(MAIL, HOST, {entry.stream: [entry.id]})
    stage.act(lambda c: claim.parse_renew(c.run(renewing), MAIL))
    decide(stage, entry, Retry(-10, State(attempts=1)))
    stage.sure({jid: "gone"})
    assert stage.counters()["cancelled"] == 1


@story
def a_cancel_that_comes_too_late(stage: Stage) -> None:
    """The delivery that was to be ended was given back and taken anew: the cancel reaches it all the same."""
    (jid,) = pushed(stage)
    stage.begin()
    (entry,) = stage.take()
    stage.act(end_it(jid))
    stage.act(lambda c: failing.release(c, MAIL, HOST, [(entry, None)]))
    assert stage.take() == []
    stage.sure({jid: "gone"})
    assert stage.counters()["cancelled"] == 1


@story
def expired(stage: Stage) -> None:
    (jid,) = pushed(stage, 1, Label(expires_at_ms=1))
    stage.begin()
    assert stage.take() == []
    stage.sure({jid: "gone"})
    assert stage.counters()["expired"] == 1
