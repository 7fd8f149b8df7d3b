"""A watch over a host's places: how many workers can take a job, looked at all the time in their pages.

A thread of the test, which reads the recorder as the master does. What few are too few is the test's matter.
"""

import mmap
import threading
import time
from pathlib import Path

from gangerd.page import Page
from gangerd.recorder import HEADER_BYTES, PAGE_BYTES, HeaderWord, Phase, page_offset
from support.waiting import until


class Places:
    """Looks every few milliseconds inside `with`, once `all_there` can; `fewest` is the least it saw, `looks`
    how often."""

    def __init__(self, run_dir: Path, *, all_there: int, every_s: float = 0.002) -> None:
        (path,) = run_dir.glob("recorder-*")
        with path.open("rb") as file:
            self._memory = memoryview(mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ))
        slots = self._memory[:HEADER_BYTES].cast("Q")[HeaderWord.SLOTS]
        offsets = [page_offset(slot) for slot in range(slots)]
        self._pages = [Page(self._memory[offset : offset + PAGE_BYTES]) for offset in offsets]
        self._every_s = every_s
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        until(lambda: self.count() >= all_there, f"{all_there} at work")
        self.fewest = all_there
        self.looks = 0

    def count(self) -> int:
        return sum(Phase.IDLE <= page.phase < Phase.LEAVING for page in self._pages)

    def __enter__(self) -> "Places":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.is_set():
            self.fewest = min(self.fewest, self.count())
            self.looks += 1
            time.sleep(self._every_s)
