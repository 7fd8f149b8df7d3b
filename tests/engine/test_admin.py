"""Admin: what a dashboard is answered with."""

import json

import msgspec
import pytest

from ganger.admin import Admin
from ganger.cluster import Cluster
from ganger.errors import BadName
from ganger.keys import Control
from ganger.operations import control, cron
from ganger.views import Crash, Queue, Worker
from support import jobs
from support.crons import entry

KEYS = Control("ganger")
ROW = {"host": "h1", "slot": 0, "state": "running", "pid": 42, "jid": "j" * 29, "newer": True}


def test_views_of_everything(cluster: Cluster) -> None:
    control.heartbeat(cluster, KEYS, "a" * 16, {"host": "h1", "app": "shop", "workers": [ROW]})
    control.record_crash(cluster, KEYS, "death-1", "segfault", {"jid": "j" * 29, "cause": "segfault"})
    mail = jobs.queue(cluster, count=3)
    jobs.push(cluster, mail[0], 2)
    with Admin(cluster, KEYS) as admin:
        (queue,) = admin.queues()
        assert (queue.name, queue.ready, queue.partitions, queue.paused) == ("mail", 2, 3, False)
        assert admin.queue("mail").counters == queue.counters
        with pytest.raises(BadName, match="There is no queue 'mial'; there are: mail"):
            admin.queue("mial")
        (host,) = admin.hosts()
        assert (host.host, host.app, host.workers) == ("h1", "shop", admin.workers())
        (crash,) = admin.crashes()
        assert (crash.jid, crash.cause) == ("j" * 29, "segfault")
        assert admin.totals().counters["enqueued"] == 2
        assert admin.totals().crashes == {"segfault": 1}
        assert [one.type for one in admin.unserved()] == ["shop.send"]
        assert admin.leader() is None
        admin.pause_queue("mail", "the shop moves")
        admin.pause_type("shop.send", "no stamps")
        assert (admin.queue("mail").paused_note, admin.queue("mail").paused_partitions) == (
            "the shop moves",
            3,
        )
        assert {name: wish.note for name, wish in admin.paused_types().items()} == {"shop.send": "no stamps"}
        assert admin.resume_type("shop.send").changed and admin.resume_queue("mail").changed
        assert (admin.queue("mail").paused, admin.paused_types()) == (False, {})
        assert admin.clear_queue("mail").removed == 2


def test_cron_entries_as_views(cluster: Cluster) -> None:
    control.register_queue(cluster, KEYS, "mail", 12)
    cron.announce(cluster, KEYS, "0" * 16, "shop", [msgspec.to_builtins(entry())])
    name = entry().name
    with Admin(cluster, KEYS) as admin:
        assert admin.pause_cron(name) and not admin.pause_cron(name) and admin.resume_cron(name)
        jid = admin.run_cron(name)
        (one,) = admin.crons()
        assert one.last is not None and (one.name, one.fired, one.last.jid) == (name, 1, jid)
        assert json.loads(json.dumps(one.document()))["last"]["state"] == "ready"
        assert [event.event for event in admin.cron_history(name)] == ["run", "resumed", "paused"]


def test_a_view_keeps_what_it_does_not_name() -> None:
    worker = Worker.of(ROW)
    assert (worker.pid, worker.attempt, worker.more) == (42, None, {"newer": True})
    silent = ("generation", "type", "queue", "attempt", "since_ms", "rss_bytes", "worker")
    assert worker.document() == ROW | dict.fromkeys(silent)
    crash = Crash.of({"cause": "exit", "at_ms": 5})
    assert json.loads(json.dumps(crash.document()))["at_ms"] == 5
    assert Queue.of({"name": "mail"}).counters == {}
