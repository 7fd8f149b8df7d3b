"""Hooks around a worker's life: what an app must do once per process, after the fork.

Connections, threads and tracers belong here and not at import: the template forks, and what it has open or
running would be shared by all workers. The worker calls `run_start` before it is ready (also when it stands
by), and `run_stop` when it leaves in order; a worker that is killed runs nothing more."""

from collections.abc import Callable
from typing import TypeVar

from ganger.errors import BadHandler

Hook = TypeVar("Hook", bound=Callable[[], object])

_start: list[Callable[[], object]] = []
_stop: list[Callable[[], object]] = []


def on_worker_start(hook: Hook) -> Hook:
    """Decorate a function without parameters: called in each worker before its first job, in the order of
    definition. One that raises ends that worker; the next one tries again, after a pause. Raises
    BadHandler."""
    return _register(_start, hook)


def on_worker_stop(hook: Hook) -> Hook:
    """Decorate a function without parameters: called when a worker leaves in order, last defined first. One
    that raises is logged, and the others still run. Raises BadHandler."""
    return _register(_stop, hook)


def run_start() -> None:
    """Raises what a hook raises."""
    for hook in _start:
        hook()


def run_stop() -> list[Exception]:
    """Run them all; what was raised."""
    raised: list[Exception] = []
    for hook in reversed(_stop):
        try:
            hook()
        except Exception as error:
            raised.append(error)
    return raised


def _register(hooks: list[Callable[[], object]], hook: Hook) -> Hook:
    if not callable(hook):
        raise BadHandler(f"{hook!r} is no function; a hook is one without parameters.")
    hooks.append(hook)
    return hook
