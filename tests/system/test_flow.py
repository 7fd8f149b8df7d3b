"""How jobs get through: no job waits behind another that takes long, and the numbers that leave are right."""

import socket
import threading
import time
from collections import Counter

from support import incident_app as app
from support.checker import counters_balance, ran_exactly_once
from support.scene import Scene
from support.waiting import until


def test_a_job_that_turns_out_long_does_not_hold_back_its_batch(every_scene: Scene) -> None:
    scene = every_scene
    scene.gang(workers=2)
    opened, closed = scene.root / "opened", scene.root / "closed"
    opened.touch()
    for jid in scene.push_many(app.at_gate, [(str(opened),)] * 60):
        scene.await_end(jid)
    at_ns = time.monotonic_ns()
    batch = scene.push_many(app.at_gate, [(str(closed),), *[(str(opened),)] * 40])
    for jid in batch[1:]:
        scene.await_end(jid)
    assert scene.journal.ended(batch[0]) == 0
    runs = scene.journal.runs()
    waits_s = [(runs[jid].begun[0][2] - at_ns) / 1e9 for jid in batch]
    print(f"begun after {max(waits_s):.3f} s at most")
    assert max(waits_s) < 2
    closed.touch()
    scene.await_all_done()
    ran_exactly_once(scene, batch)
    assert {attempt for jid in batch for attempt, _, _ in runs[jid].begun} == {1}
    counters_balance(scene)


def test_metrics_arrive_over_udp_and_their_sums_are_exact(scene: Scene) -> None:
    with Listener() as heard:
        gang = scene.gang(workers=2, settings={"statsd": heard.address})
        # What was enqueued before the first look at a queue is not told: let it be looked at once.
        scene.await_end(scene.push(app.healthy, 1))
        until(lambda: "queue.incidents.depth" in heard.gauges, "a gauge of the queue", 15)
        jids = [scene.push(app.healthy, number) for number in range(50)]
        jids += [scene.push(app.segfaults), scene.push(app.raises), scene.push(app.kills_itself)]
        scene.await_all_done()
        until(lambda: heard.counts["jobs.enqueued"] >= len(jids), "what was enqueued", 15)
        assert gang.drain() == 0
    del heard.counts["jobs.released"]
    assert heard.counts["type.support_incident_app_segfaults.crash.segfault"] == 2
    assert {name: value for name, value in heard.counts.items() if not name.startswith("type.")} == {
        "jobs.enqueued": heard.counts["jobs.enqueued"],
        "jobs.started": 51 + 6,
        "jobs.succeeded": 51,
        "jobs.failed": 6,
        "jobs.retried": 3,
        "jobs.dead": 2,
        "jobs.exhausted": 1,
        "crash.segfault": 2,
        "crash.killed": 2,
        "queue.incidents.crash.segfault": 2,
        "queue.incidents.crash.killed": 2,
        "workers.restarts": 4,
    }
    assert heard.counts["jobs.enqueued"] in (53, 54)
    assert {"jobs.run", "jobs.wait"} <= heard.timers
    assert {"queue.incidents.depth", "host.host.workers.busy", "host.host.workers.idle"} <= heard.gauges


class Listener:
    """A statsd: sums of counters, names of gauges and timers, without the prefix. A thread reads what comes:
    a socket that is looked at now and then has dropped the rest."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.05)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="statsd")
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self.counts: Counter[str] = Counter()
        self.gauges: set[str] = set()
        self.timers: set[str] = set()

    def __enter__(self) -> "Listener":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """What was sent before is heard."""
        self._closing.set()
        self._thread.join()
        self._socket.close()

    def _listen(self) -> None:
        while True:
            closing = self._closing.is_set()
            try:
                packet = self._socket.recv(65536).decode()
            except TimeoutError:
                if closing:
                    return
                continue
            for line in packet.splitlines():
                name, _, rest = line.partition(":")
                name, (value, kind) = name.removeprefix("ganger."), rest.split("|")[:2]
                if kind == "c":
                    self.counts[name] += int(value)
                else:
                    (self.gauges if kind == "g" else self.timers).add(name)


def test_an_idle_host_starts_a_pushed_job_within_milliseconds(every_scene: Scene) -> None:
    scene = every_scene
    scene.gang(workers=2)
    waits_ms = []
    for number in range(60):
        at_ns = time.monotonic_ns()
        jid = scene.push(app.healthy, number)
        until(lambda jid=jid: scene.journal.ended(jid) == 1, "its end")  # type: ignore[misc]
        waits_ms.append((scene.journal.runs()[jid].begun[0][2] - at_ns) / 1e6)
    middle = sorted(waits_ms)[30]
    print(f"push to begin: p50 {middle:.1f} ms, max {max(waits_ms):.1f} ms")
    assert middle < 50, waits_ms  # a wake-up that did not work would be the poll's 500 ms


def test_what_the_command_line_shows_is_what_happened(scene: Scene) -> None:
    gang = scene.gang(workers=2)
    gate = scene.root / "gate"
    running = scene.push(app.first_at_gate, str(gate), 0)
    poison = scene.push(app.kills_itself)
    later = scene.push(app.healthy, 1, delay=3600)
    scene.await_begin(running)
    scene.await_dead(poison)

    def seen() -> bool:
        return running in [worker["jid"] for worker in scene.command("status")["workers"]]

    until(seen, "the running job in a heartbeat")
    status = scene.command("status")
    row = status["queues"][app.QUEUE]
    assert (row["ready"], row["later"], row["dead"], row["in_flight"], row["paused"]) == (0, 1, 1, 1, False)
    assert status["totals"]["crashes"] == {"killed": 2}
    assert {worker["host"] for worker in status["workers"]} == {"host"}
    assert len({worker["slot"] for worker in status["workers"]}) == len(status["workers"]) >= 2
    assert scene.command("queues")[app.QUEUE]["dead"] == 1
    (busy,) = [worker for worker in scene.command("workers") if worker["jid"] == running]
    assert (busy["type"], busy["pid"]) == (app.first_at_gate.name, scene.journal.runs()[running].begun[0][1])
    assert [letter["jid"] for letter in scene.command("dead", "list")] == [poison]
    assert scene.command("job", "show", later)["state"] == "scheduled"
    assert scene.command("job", "show", running)["state"] == "working"
    gate.touch()
    scene.await_end(running)
    assert gang.drain() == 0
