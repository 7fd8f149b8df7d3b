"""The demo's input and output: the source files of the running Python's standard library, and the lines that
the jobs wrote about them."""

import json
import sysconfig
from pathlib import Path
from typing import Any

_FOREIGN = {"site-packages", "dist-packages", "__pycache__"}


def library(limit: int | None = None) -> list[Path]:
    """Every .py file of the standard library, in a fixed order; the first `limit` of them."""
    root = Path(sysconfig.get_path("stdlib"))
    found = (path for path in root.rglob("*.py") if not _FOREIGN & set(path.relative_to(root).parts))
    return sorted(path for path in found if path.is_file())[:limit]


class Results:
    """The file of result lines, read as it grows."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: list[dict[str, Any]] = []
        self._read = 0

    def refresh(self) -> int:
        """Take in what has been added; how many lines there are by now. A half-written line waits."""
        try:
            with self.path.open("rb") as file:
                file.seek(self._read)
                added = file.read()
        except FileNotFoundError:
            return 0
        whole = added[: added.rfind(b"\n") + 1]
        self._read += len(whole)
        self.lines += [json.loads(line) for line in whole.splitlines()]
        return len(self.lines)
