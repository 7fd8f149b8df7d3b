"""Why a job is not running: each reason, made to hold, and told."""

from random import Random
from typing import Any

import pytest

from ganger import jid as jids
from ganger.admin import Admin
from ganger.case import Case
from ganger.client import Client
from ganger.cluster import Cluster, Command
from ganger.config import EngineConfig, parse_redis_url
from ganger.errors import BadOptions, GangerError, JobNotFound, NodeDown
from ganger.inspect import locate
from ganger.job import Entry
from ganger.keys import Control, partitions
from ganger.operations import claim, control, failing, lanes
from ganger.options import Options
from ganger.push_options import PushOptions
from ganger.retry import Failure, Policy
from ganger.why import CHECKS, Reason, control_unreachable, partition_unreachable
from support import jobs
from support.outage import away
from support.servers import ClusterServers
from support.waiting import until

KEYS = Control("ganger")
HOST = "a" * 16


class Yard:
    """A queue `mail` and one host that serves it and knows shop.send."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.admin = Admin(cluster, KEYS)
        settings = EngineConfig(parse_redis_url("redis://h"), unknown_types="allow")
        self.client = Client(settings, cluster=cluster)
        control.register_queue(cluster, KEYS, "mail", 1)
        self.op = 0
        (self.place,) = partitions("ganger", "mail", 1)

    def host(self, *workers: dict[str, Any], queues: tuple[str, ...] = ("mail",)) -> None:
        about = {"host": "h1", "queues": list(queues), "workers": list(workers)}
        control.heartbeat(self.cluster, KEYS, HOST, about)
        control.announce(self.cluster, KEYS, {"shop.send": {"queue": "mail"}})

    def push(self, type: str = "shop.send", **options: Any) -> str:
        return self.client.send(type, Options(queue="mail"), PushOptions(**options), [((), {})])[0]

    def take(self) -> list[Entry]:
        self.op += 1
        taken = claim.claim(self.cluster, self.place, HOST, "b" * 16, self.op, budget_us=10**9)
        return taken.entries

    def codes(self, jid: str) -> list[str]:
        return [reason.code for reason in self.admin.why(jid)]

    def reason(self, jid: str, code: str) -> Reason:
        (found,) = [reason for reason in self.admin.why(jid) if reason.code == code]
        return found


@pytest.fixture
def yard(cluster: Cluster) -> Yard:
    return Yard(cluster)


def test_nothing_holds_it_up(yard: Yard) -> None:
    yard.host()
    assert yard.codes(yard.push()) == ["next"]


def test_a_job_that_is_nowhere(yard: Yard) -> None:
    (jid,) = jids.mint("mail", 0)
    assert yard.codes(jid) == ["gone"]
    with pytest.raises(BadOptions):
        yard.admin.why("nonsense")


def test_nobody_works(yard: Yard) -> None:
    assert yard.codes(yard.push()) == ["no_host"]


def test_nobody_serves_the_queue_or_knows_the_type(yard: Yard) -> None:
    yard.host(queues=("stock",))
    jid = yard.push("shop.sned")
    assert yard.codes(jid) == ["queue_unserved", "type_unknown"]
    assert yard.reason(jid, "queue_unserved").text == "No live host serves queue mail; they serve stock."


def test_what_is_paused_is_told_with_its_note(yard: Yard) -> None:
    yard.host()
    jid = yard.push()
    yard.admin.pause_queue("mail", "the mail server moves")
    assert "(the mail server moves)." in yard.reason(jid, "paused_queue").text
    yard.admin.resume_queue("mail")
    yard.admin.pause_type("shop.send")
    assert yard.codes(jid) == ["paused_type"]
    assert yard.take() == []
    assert (yard.admin.find(jid).state, yard.codes(jid)) == ("parked", ["paused_type"])
    yard.admin.resume_type("shop.send")
    assert yard.codes(jid) == ["next"]


def test_it_is_not_due(yard: Yard) -> None:
    yard.host()
    jid = yard.push(delay=3630)
    assert yard.codes(jid) == ["not_due"]
    assert yard.reason(jid, "not_due").text == "It is not due yet: in 60 min."
    yard.cluster.run(Command(yard.place.slot, ("ZADD", yard.place.later, 1000, jid)))
    assert "there is none" in yard.reason(jid, "due").text
    control.lead(yard.cluster, KEYS, HOST)
    assert yard.reason(jid, "due").about["leader"] == HOST


def test_it_has_failed_and_waits_for_another_attempt(yard: Yard) -> None:
    yard.host()
    jid = yard.push()
    (entry,) = yard.take()
    failure = Failure("exception", "ValueError", "no such address\nat all")
    failing.fail(yard.cluster, entry, HOST, Policy(retry=5), failure, Random(1))
    text = yard.reason(jid, "not_due").text
    assert "once more after attempt 1 ended with exception (ValueError: no such address)." in text


def test_it_is_dead(yard: Yard) -> None:
    jid = yard.push()
    (entry,) = yard.take()
    failing.fail(yard.cluster, entry, HOST, Policy(retry=0), Failure("segfault", "SIGSEGV"), Random(1))
    (reason,) = yard.admin.why(jid)
    assert (reason.code, reason.about["cause"]) == ("dead", "segfault")
    assert f"`ganger dead retry {jid}`" in reason.text


def test_somebody_has_it(yard: Yard) -> None:
    yard.host()
    jid = yard.push()
    yard.take()
    assert yard.codes(jid) == ["claimed"]
    yard.host({"jid": jid, "pid": 42, "since_ms": 1000, "state": "running"})
    assert yard.reason(jid, "working").text.startswith("It runs: on host h1, worker 42, begun ")
    control.depart(yard.cluster, KEYS, HOST)
    assert yard.reason(jid, "lease").about == {"consumer": HOST}


def test_it_was_cancelled_under_its_worker(yard: Yard) -> None:
    yard.host()
    jid = yard.push()
    yard.take()
    assert yard.admin.cancel(jid) == "asked"
    assert yard.codes(jid) == ["claimed", "cancelled"]


def test_how_it_ended_where_that_is_kept(yard: Yard) -> None:
    (jid,) = yard.client.send("shop.send", Options(queue="mail", track=True), PushOptions(), [((), {})])
    assert yard.admin.cancel(jid) == "cancelled"
    (reason,) = yard.admin.why(jid)
    assert (reason.code, reason.about["how"]) == ("done", "cancelled")


def test_others_go_before_it(yard: Yard) -> None:
    yard.host({"state": "running"}, {"state": "idle"})
    yard.push(priority=9)
    yard.push()
    jid = yard.push()
    yard.push()
    assert yard.reason(jid, "behind").about == {"ahead": 2, "busy": 1, "workers": 2}


def test_others_of_its_lane_go_before_it(yard: Yard, cluster: Cluster) -> None:
    yard.host()
    jid = [yard.push() for _ in range(3)][-1]
    cluster.run(lanes.aside_command(yard.place, [lanes.Mark("shop.send", False)], 60_000))
    assert yard.take() == []
    reason = yard.reason(jid, "behind")
    assert reason.about["ahead"] == 2 and reason.text.startswith("In its lane about 2 jobs")


def test_it_has_expired(yard: Yard) -> None:
    yard.host()
    jid = yard.push(expires_in=0.001)
    until(lambda: yard.codes(jid) == ["expired"], "expired")
    assert "the claim that meets it drops it" in yard.reason(jid, "expired").text


def test_another_holds_its_unique_lock(yard: Yard, cluster: Cluster) -> None:
    yard.host()
    options = Options(queue="mail", unique_for=3600)
    (jid,) = yard.client.send("shop.send", options, PushOptions(), [(("a",), {})])
    assert yard.codes(jid) == ["next"]
    digests = cluster.run(Command(yard.place.slot, ("HKEYS", yard.place.locks)))
    (digest,) = [one for one in digests if one]
    holder, until_ms = "0" * 29, 5_000_000_000_000
    cluster.run(Command(yard.place.slot, ("HSET", yard.place.locks, digest, f"{holder}|{until_ms}")))
    assert yard.reason(jid, "unique_held").about == {"holder": holder, "until_ms": until_ms}


def test_who_is_out_of_reach_is_told_and_hides_nobody_else(
    rough: Cluster, rough_servers: ClusterServers
) -> None:
    mail = jobs.queue(rough, count=6)
    pushed = {place: jobs.push(rough, place)[0] for place in mail}
    admin = Admin(rough, KEYS)
    with away(rough_servers, KEYS.slot) as index:
        there = [place for place in mail if rough_servers.index_of(place.slot) == index]
        (reason,) = admin.why(pushed[there[0]])
        assert reason.code == "unreachable"
        assert f"partition {there[0].index} of queue mail, can't be reached" in reason.text
        here = next(place for place in mail if place not in there)
        assert [one.code for one in admin.why(pushed[here])] == ["no_host"]
        (queue,) = admin.queues()
        assert (queue.ready, queue.unreachable) == (6 - len(there), len(there))
        assert [one.whole for one in admin.unserved()] == [False]
        with pytest.raises(GangerError):
            list(admin.dead())


def test_what_is_out_of_reach_is_a_reason(yard: Yard) -> None:
    error = NodeDown("10.0.0.1:7000 does not answer.")
    reason = partition_unreachable(Case("j", unreachable={yard.place: error}))
    assert reason is not None
    assert "partition 0 of queue mail, can't be reached: 10.0.0.1:7000" in reason.text
    case = Case("j", silent=error)
    assert [check.__name__ for check in CHECKS if check(case)] == [control_unreachable.__name__]


def test_a_job_may_go_at_once(yard: Yard, cluster: Cluster) -> None:
    jid = yard.push(delay=3600)
    assert [job.jid for job in yard.admin.scheduled()] == [jid]
    assert yard.admin.retry(jid) == "scheduled"
    assert locate(cluster, KEYS, jid).state == "ready"
    with pytest.raises(JobNotFound, match="is ready: it is neither scheduled, retrying nor dead"):
        yard.admin.retry(jid)
    (entry,) = yard.take()
    failing.fail(cluster, entry, HOST, Policy(retry=0, dead=True), Failure("exception"), Random(1))
    assert yard.admin.retry(jid) == "dead"
    assert yard.admin.find(jid).state == "ready"


def test_a_job_may_be_removed_but_not_under_a_worker(yard: Yard) -> None:
    assert yard.admin.delete(yard.push(delay=3600)) == "scheduled"
    assert yard.admin.delete(yard.push()) == "ready"
    assert yard.admin.totals().counters["cancelled"] == 2
    jid = yard.push()
    (entry,) = yard.take()
    with pytest.raises(JobNotFound, match="is working: cancel it"):
        yard.admin.delete(jid)
    failing.fail(yard.cluster, entry, HOST, Policy(retry=0, dead=True), Failure("exception"), Random(1))
    assert yard.admin.delete(jid) == "dead"
    with pytest.raises(JobNotFound, match="is in no queue"):
        yard.admin.delete(jid)
