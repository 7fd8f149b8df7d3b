"""What host and cluster tell statsd, read from a real socket."""

import socket
from collections.abc import Iterator

import pytest

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.operations import pause
from gangerd import log
from gangerd.config import Config
from gangerd.messages import Death, Left
from gangerd.page import PageWriter
from gangerd.recorder import COUNTERS, HEADER_BYTES, PAGE_BYTES, Counter, HeaderWord, Held
from gangerd.roles.coordinator.figures import Figures
from gangerd.roles.scheduler.gauges import Gauges
from support import jobs

HEADER = [0] * (HEADER_BYTES // 8)


class Statsd:
    """A statsd that keeps what it was told: name -> values, newest last."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(5)
        self.config = Config(statsd=f"127.0.0.1:{self._socket.getsockname()[1]}", host="web-1")

    def hear(self) -> dict[str, str]:
        lines = self._socket.recv(65536).decode().splitlines()
        return dict(line.split(":", 1) for line in lines)

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def statsd() -> Iterator[Statsd]:
    made = Statsd()
    yield made
    made.close()


def page(incarnation: str, started: int) -> PageWriter:
    made = PageWriter(memoryview(bytearray(PAGE_BYTES)))
    made.begin(incarnation, 77, 1, 1)
    made.counters[Counter.STARTED] = started
    made.counters[Counter.RUN_US + 10] = started
    return made


def death(**changes: object) -> Death:
    counters = [0] * COUNTERS
    counters[Counter.STARTED] = 5
    held = [Held("mail", 0, 5, "1-1", "jid", "shop.send", 1)]
    fields: dict[str, object] = {
        "id": "d1", "consumer": "aa", "worker": "b1", "slot": 0, "pid": 77, "generation": 1, "at_ms": 5,
        "cause": "segfault", "uses_attempt": True, "counts_as_crash": True, "held": held, "states": [2],
        "running": 0, "counters": counters,
    }  # fmt: skip
    return Death(**(fields | changes))  # type: ignore[arg-type]


def test_a_host_tells_what_its_workers_did_and_what_ended_them(statsd: Statsd) -> None:
    figures = Figures(statsd.config, HEADER, fresh=True)
    figures.death(death())
    figures.death(death())
    figures.fate("retry")
    figures.close([page("b2", 2)])
    told = statsd.hear()
    assert told["ganger.jobs.started"] == "7|c"
    assert told["ganger.jobs.failed"] == told["ganger.jobs.retried"] == "1|c"
    assert told["ganger.crash.segfault"] == told["ganger.queue.mail.crash.segfault"] == "1|c"
    assert told["ganger.type.shop_send.crash.segfault"] == "1|c"
    assert told["ganger.workers.restarts"] == "1|c"
    assert told["ganger.jobs.run"].endswith("|ms")


def test_what_a_worker_did_in_its_last_second_is_told_when_it_has_left(statsd: Statsd) -> None:
    """Its page is wiped by then: the master says what stood there."""
    figures = Figures(statsd.config, HEADER, fresh=True)
    last = [0] * COUNTERS
    last[Counter.STARTED] = 4
    figures.beat([page("00000000000000b2", 2)], [], released=0)
    figures.left(Left("00000000000000b2", last))
    figures.left(Left("00000000000000b2", last))
    figures.close([])
    told = [statsd.hear()["ganger.jobs.started"] for _ in range(2)]
    assert told == ["2|c", "2|c"]


def test_workers_are_busy_or_idle_and_hand_backs_are_counted_once(statsd: Statsd) -> None:
    figures = Figures(statsd.config, HEADER, fresh=True)
    rows = [{"state": "idle"}, {"state": "running"}, {"state": "claiming"}]
    figures.beat([], rows, released=3)
    figures.beat([], rows, released=3)
    figures.close([])
    told = statsd.hear()
    assert (told["ganger.host.web-1.workers.idle"], told["ganger.host.web-1.workers.busy"]) == ("1|g", "2|g")
    assert told["ganger.jobs.released"] == "3|c"


def test_limits_are_told_with_what_is_used_and_whether_they_stand_still(statsd: Statsd) -> None:
    figures = Figures(statsd.config, HEADER, fresh=True)
    rows = [{"name": "mail", "used": 3, "state": "full"}, {"name": "a.b", "used": 0, "state": "quorum lost"}]
    figures.beat([], [], 0, rows, lost=2)
    figures.close([])
    told = statsd.hear()
    assert told["ganger.host.web-1.limit.mail.used"] == "3|g"
    assert told["ganger.host.web-1.limit.mail.standing"] == "0|g"
    assert told["ganger.host.web-1.limit.a_b.standing"] == "1|g"
    assert told["ganger.limits.permits_lost"] == "2|c"


def test_a_death_outside_a_job_is_no_crash(statsd: Statsd) -> None:
    figures = Figures(statsd.config, HEADER, fresh=True)
    figures.death(death(running=None, held=[], states=[]))
    figures.close([])
    assert not [name for name in statsd.hear() if "crash" in name]


def test_what_the_master_counts_is_told_once_over_coordinators(statsd: Statsd) -> None:
    header = [*HEADER]
    figures = Figures(statsd.config, header, fresh=True)
    header[HeaderWord.RECYCLED_AGE] = 2
    figures.close([])
    assert statsd.hear() == {"ganger.workers.recycled.age": "2|c"}
    successor = Figures(statsd.config, header, fresh=False)
    header[HeaderWord.RECYCLED_AGE] = 3
    header[HeaderWord.MEMORY_HIGH] = 1
    header[HeaderWord.LOG_DROPPED] = 7
    successor.close([])
    assert statsd.hear() == {
        "ganger.workers.recycled.age": "1|c",
        "ganger.jobs.memory_high": "1|c",
        "ganger.log.lines_dropped": "7|c",
    }


def test_lines_that_the_coordinator_lost_are_told(statsd: Statsd, monkeypatch: pytest.MonkeyPatch) -> None:
    figures = Figures(statsd.config, HEADER, fresh=True)
    monkeypatch.setattr(log, "dropped", lambda: 3)
    figures.close([])
    assert statsd.hear() == {"ganger.log.lines_dropped": "3|c"}


def test_nothing_is_gathered_for_nobody() -> None:
    figures = Figures(Config(), HEADER, fresh=True)
    figures.death(death())
    figures.close([page("b2", 2)])
    assert figures._deltas.take() == [0] * COUNTERS


def test_the_leader_tells_depth_and_age_and_what_came(cluster: Cluster, statsd: Statsd) -> None:
    mail = jobs.queue(cluster, count=2)
    jobs.push(cluster, mail[0], 3)
    gauges = Gauges(statsd.config)
    assert gauges.wanted

    def look() -> None:
        for partition in mail:
            gauges.heard(partition, cluster.run(gauges.command(partition)), 0)
        gauges.send()

    look()
    assert statsd.hear()["ganger.queue.mail.depth"] == "3|g"
    jobs.push(cluster, mail[1], 2)
    cluster.run(pause.change_command(mail[1], [("+", pause.EVERYTHING)]))
    cluster.run(Command(mail[0].slot, ("HINCRBY", mail[0].meta, "expired", 4)))  # as a claim does
    look()
    gauges.close()
    told = statsd.hear()
    assert told["ganger.queue.mail.depth"] == "5|g"
    assert (told["ganger.queue.mail.paused"], told["ganger.queue.mail.parked"]) == ("1|g", "0|g")
    assert (told["ganger.jobs.enqueued"], told["ganger.jobs.expired"]) == ("2|c", "4|c")
    assert "ganger.queue.mail.oldest_age_ms" in told
