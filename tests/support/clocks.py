"""Processes whose time of day can be stepped: libfaketime, where it is installed, tells them what time it is.

Only the time of day is moved; what measures how long something takes goes on as it was, and files keep the
times that the kernel gave them. For servers it is chaos/clocks.py, for hosts system/test_clocks.py.
"""

from pathlib import Path

LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
MISSING = "" if LIBRARIES else "libfaketime is not installed (apt install libfaketime)"


class Clock:
    """A file that says how far a clock is ahead, and the environment of those that have this clock. They look
    into it once a second."""

    def __init__(self, file: Path) -> None:
        self._file = file
        if not file.exists():
            self.step(0)

    def step(self, by_s: int) -> None:
        """Within a second or two it shows the right time plus so many seconds."""
        self._file.write_text(f"{by_s:+d}\n")

    @property
    def environment(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(LIBRARIES[0]),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
            "PYTHONPATH": f"{Path(__file__).with_name('stepped')}:{Path(__file__).parents[1]}",
        }
