"""An app that takes two seconds to import and 100 MB to hold: what real ones are like."""

import time

from gangerd.bench.apps.jobs import began, die, noop

__all__ = ["BALLAST", "began", "die", "noop"]

BALLAST = [bytes(1000) for _ in range(100_000)]
time.sleep(2)
