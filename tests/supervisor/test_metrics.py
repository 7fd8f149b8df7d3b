"""Metrics against a real UDP socket in statsd's place."""

import socket
import time
from collections import defaultdict
from collections.abc import Iterator

import pytest

from gangerd import metrics
from gangerd.metrics import Statsd
from gangerd.recorder import HISTOGRAM
from support.waiting import until


class Receiver:
    """What statsd would receive."""

    def __init__(self, family: int, host: str) -> None:
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self._socket.bind((host, 0))
        self._socket.settimeout(5)
        self.port: int = self._socket.getsockname()[1]
        self.packets: list[bytes] = []

    def read(self) -> dict[str, list[str]]:
        """All that has come, by name; waits for the first packet."""
        by_name: dict[str, list[str]] = defaultdict(list)
        self._socket.settimeout(5)
        while True:
            try:
                packet = self._socket.recv(65536)
            except (BlockingIOError, TimeoutError):
                return dict(by_name)
            self._socket.setblocking(False)
            self.packets.append(packet)
            for line in packet.decode("ascii").split("\n"):
                name, _, value = line.partition(":")
                by_name[name].append(value)

    def close(self) -> None:
        self._socket.close()


class Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver(socket.AF_INET, "127.0.0.1")
    yield receiver
    receiver.close()


def histogram(**counts: int) -> list[int]:
    buckets = [0] * HISTOGRAM
    for bucket, count in counts.items():
        buckets[int(bucket[1:])] = count
    return buckets


def test_numbers_are_gathered_and_sent_once_a_second(receiver: Receiver) -> None:
    clock = Clock()
    client = Statsd("127.0.0.1", receiver.port, "ganger", clock=clock)
    for _ in range(3):
        client.count(metrics.JOBS_SUCCEEDED, 2)
    client.count(metrics.CRASH_OF_TYPE, type="mail.send:a", cause="segfault")
    client.count(metrics.JOBS_FAILED, 0)
    client.gauge(metrics.QUEUE_DEPTH, 5, queue="mail")
    client.gauge(metrics.QUEUE_DEPTH, 7, queue="mail")
    client.gauge(metrics.QUEUE_OLDEST_AGE_MS, -3, queue="mail")
    assert client.flush()
    assert receiver.read() == {
        "ganger.jobs.succeeded": ["6|c"],
        "ganger.type.mail_send_a.crash.segfault": ["1|c"],
        "ganger.queue.mail.depth": ["7|g"],
        "ganger.queue.mail.oldest_age_ms": ["0|g"],
    }
    client.count(metrics.JOBS_FAILED)
    clock.now_s += 0.9
    assert not client.flush(), "a second has not passed"
    clock.now_s += 0.1
    assert client.flush()
    assert receiver.read() == {"ganger.jobs.failed": ["1|c"]}
    clock.now_s += 10
    assert not client.flush(), "nothing to say"
    client.close()


def test_packets_fit_a_frame(receiver: Receiver) -> None:
    client = Statsd("127.0.0.1", receiver.port)
    for number in range(500):
        client.gauge(metrics.QUEUE_DEPTH, number, queue=f"queue/{number}")
    client.flush()
    assert len(receiver.read()) == 500
    assert len(receiver.packets) > 5
    assert max(map(len, receiver.packets)) <= metrics.PACKET_BYTES


def test_a_timer_is_a_few_weighted_samples(receiver: Receiver) -> None:
    client = Statsd("127.0.0.1", receiver.port)
    client.timing(metrics.RUN, histogram(b10=500))
    client.timing(metrics.RUN, histogram(b10=400, b20=100))
    client.timing(metrics.WAIT, histogram(b3=2))
    client.timing(metrics.WAIT, histogram())
    client.flush()
    received = receiver.read()
    assert len(received["ganger.jobs.run"]) == 10
    assert all(value.endswith("|ms|@0.01") for value in received["ganger.jobs.run"])
    values = [float(value.partition("|")[0]) for value in received["ganger.jobs.run"]]
    assert all(0.512 <= value <= 1.024 for value in values[:9]) and 524 <= values[9] <= 1049
    assert received["ganger.jobs.wait"] == ["0.005|ms", "0.007|ms"]


@pytest.mark.parametrize(
    "buckets",
    [histogram(b0=1), histogram(b31=3), histogram(b0=1, b31=1), histogram(b5=7, b6=1, b7=1_000_000)],
)
def test_samples_stay_within_their_buckets(buckets: list[int]) -> None:
    values = metrics.samples(buckets)
    assert len(values) == min(10, sum(buckets)) and values == sorted(values)
    for value in values:
        bucket = next(index for index in range(HISTOGRAM) if value * 1000 <= 2.0**index)
        assert buckets[bucket]
    assert metrics.samples([0] * HISTOGRAM) == []


def test_without_statsd_nothing_happens() -> None:
    client = Statsd.from_address("")
    client.count(metrics.JOBS_STARTED)
    client.gauge(metrics.WORKERS_BUSY, 1, host="h")
    client.timing(metrics.RUN, histogram(b1=1))
    assert not client.flush(now=True)
    client.close()


def test_names_are_resolved_and_do_not_hold_anyone_up(receiver: Receiver) -> None:
    client = Statsd.from_address(f"localhost:{receiver.port}")
    client.count(metrics.JOBS_STARTED)
    until(lambda: client.flush(now=True), "the name is resolved")
    assert receiver.read() == {"ganger.jobs.started": ["1|c"]}

    nowhere = Statsd("no-such-host.invalid")
    nowhere.count(metrics.JOBS_STARTED)
    before_s = time.monotonic()
    assert not nowhere.flush(now=True)
    assert time.monotonic() - before_s < 2.0


def test_ipv6() -> None:
    try:
        receiver = Receiver(socket.AF_INET6, "::1")
    except OSError:
        pytest.skip("no IPv6 on the loopback")
    client = Statsd.from_address(f"[::1]:{receiver.port}")
    client.count(metrics.JOBS_STARTED)
    assert client.flush()
    assert receiver.read() == {"ganger.jobs.started": ["1|c"]}
    receiver.close()


def test_a_missing_part_of_a_name_is_a_mistake() -> None:
    assert metrics.named(metrics.CRASH, {"cause": "oom_kill"}) == "crash.oom_kill"
    assert metrics.named(metrics.CRASH, {"cause": ""}) == "crash._"
    with pytest.raises(KeyError):
        metrics.named(metrics.CRASH, {})
