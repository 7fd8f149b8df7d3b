"""The same jobs with one middleware around each attempt, which does nothing."""

from collections.abc import Callable

from ganger import Attempt, perform_middleware
from gangerd.bench.apps.jobs import noop

__all__ = ["noop"]


@perform_middleware
def pass_on(job: Attempt, run: Callable[[], object]) -> object:
    return run()
