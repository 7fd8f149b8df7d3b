"""The crash run: 4 processes, 500 jobs of 5 ms with three culprits among them, then one job a second.

All systems run it at the same time, each on a server of its own: it is waiting mostly, and nobody hangs at
the cost of a core. What it came to is for journal.py to say. Called by run.py.
"""

import contextlib
import signal
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
from crew import Crew, Place, wait_for
from drivers.driver import Driver
from journal import CULPRITS, Sighting, events, named, outcome
from pushing import Producer, ProducerFailed
from servers import Server

WORKERS = 4
WARM = range(1, 41)
BATCH = range(1000, 1500)
POSITIONS = {"a": 1100, "b": 1200, "c": 1300}
TICKS_FROM = 5000
TURN_S = 6
CALM_S = 10
LOOK_S = 0.05


class Scene:
    """One system's part: its server, crew and producer, and what was seen of its processes."""

    def __init__(self, directory: Path, driver: Driver) -> None:
        self.driver = driver
        self.server = Server(directory / "server", cluster=driver.cluster)
        self.directory = directory
        self.seen: list[Sighting] = []
        self.ids: dict[str, str] = {}
        self.ticks: list[int] = []
        self.wanted = 0
        self.trouble = ""

    def start(self) -> None:
        self.server.wait_ready()
        self.place = Place(self.directory / "place", self.driver, self.server, crash=True)
        self.crew = Crew(self.place, WORKERS)
        self.producer = Producer(self.place)

    def warm_up(self) -> None:
        """Forty jobs, four at a time, so that workers that come on demand are there."""
        self.producer.ask("act", jobs=[["w", number] for number in WARM])
        if not wait_for(lambda: self._ended() >= len(WARM), 60, 0.05):
            self.trouble = "the workers did not come up"

    def _ended(self) -> int:
        return sum(line.startswith("ended") for line in self.place.lines("journal"))

    def push_batch(self) -> None:
        """The workers stand still until all are waiting, and have some seconds before the next system's
        turn."""
        self.wanted = len(self.crew.processes())
        self._signal(signal.SIGSTOP)
        try:
            self._push_batch()
        finally:
            self._signal(signal.SIGCONT)
        wait_for(lambda: self._ended() >= len(WARM) + len(BATCH) - len(POSITIONS), TURN_S, 0.05)

    def _signal(self, number: int) -> None:
        for process in self.crew.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    def _push_batch(self) -> None:
        kinds = {number: kind for kind, number in POSITIONS.items()}
        ids = self.producer.ask("act", jobs=[[kinds.get(number, "w"), number] for number in BATCH])["ids"]
        self.ids = {kind: ids[number - BATCH.start] for kind, number in POSITIONS.items()}

    def tick(self, number: int) -> None:
        try:
            self.producer.ask("act", jobs=[["w", number]])
            self.ticks.append(number)
        except ProducerFailed as failed:
            self.trouble = str(failed)

    def result(self) -> dict[str, Any]:
        normal = [n for n in BATCH if n not in POSITIONS.values()] + self.ticks
        told = events(self.place.lines("journal"))
        records = self.producer.ask("failures")["records"]
        records += self.driver.records(self.place.directory, self.place.environment)
        texts = [*self.place.log().splitlines(), *records]
        ends = self.place.directory / "commands.ends"
        return {
            **outcome(told, self.seen, normal, POSITIONS, self.wanted),
            "named": {kind: named(kind, identity(self.ids[kind], kind), texts) for kind in CULPRITS},
            "main_ends": len(ends.read_text().splitlines()) if ends.exists() else 0,
            "trouble": self.trouble,
        }

    def stop(self) -> None:
        self.producer.stop()
        self.crew.stop()
        self.server.stop()


def identity(jid: str, kind: str) -> list[str]:
    """How a text may name the job: by its id where that is long enough to be one, or by its arguments."""
    number = POSITIONS[kind]
    by_arguments = [f"'{kind}', {number}", f'"{kind}", {number}', f'"{kind}",{number}']
    return by_arguments + ([jid] if len(jid) > 8 else [f"job {jid} ", f"{jid} ["])


def crash_run(directory: Path, drivers: Sequence[Driver], ticks: int) -> dict[str, dict[str, Any]]:
    """By system: what became of the normal jobs, of the culprits, of the crew."""
    scenes: list[Scene] = []
    over = threading.Event()
    watch = threading.Thread(target=watching, args=(scenes, over), daemon=True)
    try:
        for number, driver in enumerate(drivers):
            scenes.append(Scene(directory / f"crash-{number}", driver))
        for scene in scenes:
            scene.start()
        for scene in scenes:
            scene.warm_up()
        time.sleep(3)
        watch.start()
        for scene in scenes:
            scene.push_batch()
        for number in range(ticks):
            due_s = time.monotonic() + 1
            for scene in scenes:
                scene.tick(TICKS_FROM + number)
            time.sleep(max(0.0, due_s - time.monotonic()))
        time.sleep(min(CALM_S, ticks / 2))
        return {scene.driver.name: scene.result() for scene in scenes}
    finally:
        over.set()
        if watch.is_alive():
            watch.join()
        for scene in scenes:
            scene.crew.ask_to_stop()
        for scene in scenes:
            scene.stop()


def watching(scenes: Sequence[Scene], over: threading.Event) -> None:
    """Twenty times a second, who is below each keeper; zombies are not."""
    while not over.wait(LOOK_S):
        children = living()
        at_ns = time.monotonic_ns()
        for scene in scenes:
            pids = frozenset(under(scene.crew.pid, children))
            if not scene.seen or scene.seen[-1][1] != pids:
                scene.seen.append((at_ns, pids))


def living() -> dict[int, list[int]]:
    """parent -> children of all processes but zombies."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if stat[0] != "Z":
                children.setdefault(int(stat[1]), []).append(int(entry.name))
    return children


def under(root: int, children: dict[int, list[int]]) -> list[int]:
    found, waiting = [], [root]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found
