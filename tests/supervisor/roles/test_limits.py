"""The limits of a host as its coordinator keeps them: configured, set while it runs, told to who looks."""

from collections.abc import Iterator
from typing import Any

import pytest

from ganger import limiting
from ganger.admin import Admin
from ganger.cluster import Cluster, Command
from ganger.errors import BadThrottleServer
from ganger.keys import partitions
from ganger.operations import control
from ganger.operations import limits as operations
from ganger.operations.limits import SetLimit
from ganger.throttle.servers import Servers
from gangerd.board import Line
from gangerd.config import Limit
from gangerd.messages import Drain, EndRun
from gangerd.passes import Passes
from gangerd.recorder import Control, EntryState, HeaderWord, Held
from gangerd.roles.coordinator.limits import limited_queues, merged
from gangerd.roles.coordinator.service import Coordinator
from gangerd.roles.loop import LeaveLoop
from support import jobs
from support.roles import Stage, stage
from support.servers import ClusterServers
from support.throttles import ThrottleServers

MAIL = partitions("ganger", "mail", 4)
WORKER = "00000000000000b1"


@pytest.fixture
def at(cluster_servers: ClusterServers, throttle_servers: ThrottleServers) -> Iterator[Stage]:
    urls = tuple(throttle_servers.urls)
    limits = {"mail": Limit("mail", 1)}
    with stage(cluster_servers.url, partitions=4, host="web-1", semaphores=urls, limits=limits) as made:
        yield made


def begin(at: Stage, cluster: Cluster) -> Coordinator:
    made = Coordinator(at.role, cluster)
    at.threads.callback(made._limits.close)
    at.role.has_manifest()
    made.begin()
    return made


def host_row(cluster: Cluster) -> dict[str, Any]:
    (host,) = control.hosts(cluster, jobs.KEYS)
    row: dict[str, Any] = host.status["limits"][0]
    return row


def test_a_configured_limit_is_kept_shown_and_told_as_a_reason(
    cluster: Cluster, at: Stage, throttle_servers: ThrottleServers
) -> None:
    made = begin(at, cluster)
    passes = Passes(at.role.board_memory, at.recorder_fd)
    assert [line.limited for line in at.board.directory()] == [True]
    at.worker(0, WORKER).idle()
    at.role.pages[0].set_control(Control.MAY_CLAIM)
    jid = jobs.push(cluster, MAIL[2], 2)[1]
    at.run_until(lambda: passes.is_offered(0), "a pass")
    assert passes.take(0, 0, int(WORKER, 16)) is not None
    # The other job waits; the limit is full, by this very host.
    at.run_until(lambda: host_row(cluster)["state"] == "full", "the heartbeat says so")
    servers = Servers(throttle_servers.urls)
    (row,) = limiting.survey(cluster, jobs.KEYS, servers)
    assert (row["name"], row["queue"], row["concurrency"], row["used"]) == ("mail", "mail", 1, 1)
    assert (row["set"], row["off"], row["states"]) == (False, False, {"web-1": "full"})
    assert [one["host"] for one in row["holders"]] == ["web-1"]
    (reason,) = [one for one in Admin(cluster, jobs.KEYS).why(jid) if one.code == "throttled"]
    assert reason.text == "It is throttled by the limit mail: 1 of 1 of its jobs run now."
    # The end: what nobody uses goes back.
    at.role.pages[0].wipe()
    made.handle(Drain())
    with pytest.raises(LeaveLoop):
        at.run_until(lambda: False, "left")
    assert list(passes.rows()) == []


def test_a_limit_is_set_changed_and_taken_away_while_hosts_run(cluster: Cluster, at: Stage) -> None:
    begin(at, cluster)
    put = limiting.Change
    limiting.change(cluster, jobs.KEYS, "more", put("mail", 2))
    at.run_until(lambda: _limits(cluster) == {"mail": 1, "more": 2}, "a new one")
    limiting.change(cluster, jobs.KEYS, "mail", put(concurrency=5))
    at.run_until(lambda: _limits(cluster) == {"mail": 5, "more": 2}, "over the configured one")
    for name in ("mail", "more"):
        limiting.change(cluster, jobs.KEYS, name, put(off=True))
    at.run_until(lambda: [line.limited for line in at.board.directory()] == [False], "none any more")
    assert operations.forget(cluster, jobs.KEYS, "mail")
    at.run_until(lambda: [line.limited for line in at.board.directory()] == [True], "the configured one")


def _limits(cluster: Cluster) -> dict[str, int]:
    hosts = control.hosts(cluster, jobs.KEYS)
    return {row["name"]: row["concurrency"] for host in hosts for row in host.status["limits"]}


def test_a_limit_without_servers_stands_still_and_says_so(
    cluster: Cluster, cluster_servers: ClusterServers
) -> None:
    limits = {"mail": Limit("mail", 1)}
    with stage(cluster_servers.url, partitions=4, limits=limits) as at:
        begin(at, cluster)
        at.run_until(lambda: control.hosts(cluster, jobs.KEYS), "a heartbeat")
        assert at.board.directory()[0].limited and host_row(cluster)["state"] == "no servers"


def test_a_server_that_will_not_do_stops_a_start_but_no_successor(
    cluster: Cluster, cluster_servers: ClusterServers
) -> None:
    with ThrottleServers() as own:
        # After a failover by hand, say: a replica can't hold permits. The two others are a quorum.
        own.one.call("REPLICAOF", "127.0.0.1", "1")
        limits = {"mail": Limit("mail", 1)}
        with stage(cluster_servers.url, partitions=4, semaphores=tuple(own.urls), limits=limits) as at:
            with pytest.raises(BadThrottleServer, match="replica"):
                begin(at, cluster)
            at.role.header[HeaderWord.COORDINATOR_PID] = 1
            begin(at, cluster)
            passes = Passes(at.role.board_memory, at.recorder_fd)
            at.worker(0, WORKER).idle()
            at.role.pages[0].set_control(Control.MAY_CLAIM)
            jobs.push(cluster, MAIL[2], 1)
            at.run_until(lambda: passes.is_offered(0), "a pass, with two votes")


def test_what_was_set_comes_before_what_is_configured() -> None:
    configured = {"a": Limit("q", 1), "b": Limit("q", 2), "c": Limit("q", 3)}
    found = {"a": SetLimit("r", 9), "b": SetLimit("q", 2, off=True), "d": SetLimit("q", 4)}
    assert merged(configured, found) == {"a": Limit("r", 9), "c": Limit("q", 3), "d": Limit("q", 4)}


def test_which_limits_hold_for_all_of_a_queue_and_which_for_some_of_it() -> None:
    limits = {
        "all": Limit("mail", 1),
        "keyed": Limit("mail", 2, limit_key="args.tenant"),
        "kind": Limit(type="shop.send", concurrency=3),
    }
    lines = [Line("free", 2, 1), Line("mail", 4, 1)]
    free, mail = limited_queues(lines, limits).values()
    assert (free.name, free.line, free.first, free.count) == ("free", 0, 0, 2)
    assert (list(free.rules), list(free.lane_rules)) == ([], ["kind"])
    assert (mail.first, list(mail.rules), list(mail.lane_rules)) == (2, ["all"], ["keyed", "kind"])


def test_what_is_not_understood_changes_nothing(cluster: Cluster) -> None:
    cluster.run(Command(jobs.KEYS.slot, ("HSET", jobs.KEYS.limits, "b", b'{"concurrency": "many"}')))
    operations.put(cluster, jobs.KEYS, "a", SetLimit("q", 1))
    assert operations.read(cluster, jobs.KEYS) == {"a": SetLimit("q", 1)}


def test_a_run_that_has_lost_its_permit_is_ended_and_no_other(cluster: Cluster, at: Stage) -> None:
    made = begin(at, cluster)
    worker = at.worker(0, WORKER)
    held = [Held("mail", 0, 5, f"1-{number}", f"jid-{number}", "shop.send", 1) for number in range(2)]
    worker.hold(held, [EntryState.HELD] * 2)
    worker.run(0)
    made._limits._lost(int(WORKER, 16), 0, "mail", True)
    made._limits.beat()
    made._limits.beat()
    told = [message for message in at.said() if isinstance(message, EndRun)]
    assert told == [EndRun(WORKER, 1, "permit_lost")] * 2
    # It has ended by itself, and another has begun under another pass: that one is not meant.
    worker.page.states[0] = EntryState.DONE
    worker.run(1)
    made._limits.beat()
    assert not [message for message in at.said() if isinstance(message, EndRun)]


def test_where_its_limits_say_finish_nothing_is_ended(cluster: Cluster, at: Stage) -> None:
    made = begin(at, cluster)
    worker = at.worker(0, WORKER)
    worker.hold([Held("mail", 0, 5, "1-1", "jid-1", "shop.send", 1)], [EntryState.HELD])
    worker.run(0)
    made._limits._lost(int(WORKER, 16), 0, "mail", False)
    made._limits.beat()
    assert not [message for message in at.said() if isinstance(message, EndRun)]
