"""A steady producer beside the test: healthy jobs, one by one, whatever happens to hosts and servers.

A push whose outcome is unknown is repeated under the same jid, as an application should."""

import contextlib
import threading
import time
from types import TracebackType
from typing import Self

from ganger.errors import GangerError, OutcomeUnknown
from support import incident_app as app
from support.checker import quantile
from support.scene import Scene
from support.waiting import until


class Load:
    """`pushed` is jid -> the instant (monotonic ns) its push began, of pushes that returned."""

    def __init__(self, scene: Scene, rate_per_s: float = 100, work_ms: float = 2) -> None:
        self._scene = scene
        self._interval_s = 1 / rate_per_s
        self._work_ms = work_ms
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="load")
        self.pushed: dict[str, int] = {}
        self.refused = 0
        self.repeated = 0
        self.slowest_push_s = 0.0
        self._owed: list[tuple[str, int, int]] = []
        self._owed_again_ns = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        number = 0
        while not self._stop.wait(self._interval_s):
            number += 1
            began_ns = time.monotonic_ns()
            self._push(number, began_ns)
            self.slowest_push_s = max(self.slowest_push_s, (time.monotonic_ns() - began_ns) / 1e9)
            if self._owed and began_ns >= self._owed_again_ns:
                self._push_owed()
                self._owed_again_ns = time.monotonic_ns() + 500_000_000
        until(self._push_owed, "an answer to every push", 30)

    def _push(self, number: int, began_ns: int) -> None:
        try:
            self.pushed[self._scene.push(app.healthy, number, self._work_ms)] = began_ns
        except OutcomeUnknown as unknown:
            self.repeated += 1
            self._owed.append((unknown.jids[0], number, began_ns))
        except GangerError:
            self.refused += 1

    def _push_owed(self) -> bool:
        """Repeat what is unknown; whether nothing is left."""
        for owed in list(self._owed):
            jid, number, began_ns = owed
            with contextlib.suppress(GangerError):
                self._scene.client.push(app.healthy.name, [number, self._work_ms], jid=jid)
                self.pushed[jid] = began_ns
                self._owed.remove(owed)
        return not self._owed

    def await_ended(self, more: int, within_s: float = 20.0) -> None:
        """So many jobs more come to their end."""
        goal = len(self._scene.journal.count("end")) + more
        until(lambda: len(self._scene.journal.count("end")) >= goal, f"{more} jobs more", within_s)

    def waits(self) -> str:
        """How long they waited from push to begin, in a line; and the longest in seconds."""
        waits_s = self.waits_s()
        middle, tail = quantile(waits_s, 0.5), quantile(waits_s, 0.99)
        return f"{len(waits_s)} jobs, wait p50 {middle:.4f}, p99 {tail:.4f}, max {max(waits_s):.4f} s"

    def waits_s(self) -> list[float]:
        runs = self._scene.journal.runs()
        return [(runs[jid].begun[0][2] - at_ns) / 1e9 for jid, at_ns in self.pushed.items() if jid in runs]
