"""Importing the application, and saying in one sentence why it can't be served.

The app is any module whose import registers jobs; the engine is known here only by the name of its registry.
What an import leaves running (threads) or open (stream sockets) would be shared by all forked workers, so it
is found and named, with the import that did it. Called by the template.
"""

import contextlib
import importlib
import importlib.util
import os
import socket
import stat
import sys
import time
import traceback
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from gangerd.config import EXIT_CONFIG

REGISTRY = "ganger.actor"
ROSTER = "ganger.cron.roster"


class AppFailed(Exception):
    """The app can't be served; the text is one sentence for the operator."""

    def __init__(self, error: str, exit_code: int = EXIT_CONFIG) -> None:
        super().__init__(error)
        self.exit_code = exit_code
        self.mistakes = [error]


@dataclass(slots=True)
class Footprint:
    """What forks badly: the number of threads, and the stream sockets by descriptor."""

    threads: int
    sockets: frozenset[int]

    @classmethod
    def now(cls) -> "Footprint":
        return cls(_threads(), frozenset(_stream_sockets()))


def _beyond_a_fork(threads: int, known: int) -> int:
    """How many of `threads` are there after a fork, where that is more than the `known` ones. Libraries that
    end theirs at a fork and begin them anew when asked (OpenBLAS, under numpy) do no harm; a fork tells."""
    if threads <= known:
        return threads
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of Python 3.12 on, about just this
        child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    deadline_s = time.monotonic() + 0.2  # one that was joined may be listed for a moment more
    while (threads := _threads()) > known and time.monotonic() < deadline_s:
        time.sleep(0.005)
    return threads


def _threads() -> int:
    return len(list(Path("/proc/self/task").iterdir()))


def _stream_sockets() -> Iterator[int]:
    for entry in list(Path("/proc/self/fd").iterdir()):
        fd = int(entry.name)
        with contextlib.suppress(OSError):
            if fd > 2 and stat.S_ISSOCK(os.fstat(fd).st_mode):
                with socket.socket(fileno=os.dup(fd)) as shown:
                    if shown.type == socket.SOCK_STREAM:
                        yield fd


@dataclass(slots=True)
class Watcher:
    """A finder at the head of sys.meta_path that looks at the footprint before and after each module's
    code, so that the innermost module which changed it can be named."""

    blamed: dict[str, str] = field(default_factory=dict)
    """What was left, to the module that left it."""
    _busy: bool = False

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if self._busy:
            return None
        for finder in sys.meta_path:
            if finder is not self and (spec := finder.find_spec(name, path, target)) is not None:
                self._shadow(spec)
                return spec
        return None

    def _shadow(self, spec: ModuleSpec) -> None:
        run = getattr(spec.loader, "exec_module", None)
        if run is None or isinstance(spec.loader, type):
            return  # built-in and frozen modules start nothing

        def exec_module(module: ModuleType) -> None:
            before = Footprint.now()
            try:
                run(module)
            finally:
                self._judge(spec.name, before)

        with contextlib.suppress(AttributeError):  # a loader with slots: its module goes unnamed
            spec.loader.exec_module = exec_module  # type: ignore[union-attr, method-assign]

    def _judge(self, name: str, before: Footprint) -> None:
        after = Footprint.now()
        if _beyond_a_fork(after.threads, before.threads) > before.threads:
            self.blamed.setdefault("thread", name)
        if after.sockets - before.sockets:
            self.blamed.setdefault("socket", name)


def load(
    app: str, *, forking: bool, crons: Sequence[Mapping[str, Any]] = (), places: Sequence[str] = ()
) -> dict[str, Any]:
    """Import `module` or `module:attribute` and answer the manifest of its jobs and cron entries.

    `forking`: this process will fork workers, so threads and sockets are refused. `crons`: the [[cron]]
    tables of the settings, `places`: where each was written. Raises AppFailed."""
    sys.path.insert(0, str(Path.cwd()))
    before, watcher = Footprint.now(), Watcher()
    sys.meta_path.insert(0, watcher)
    try:
        _import(app)
    finally:
        sys.meta_path.remove(watcher)
    if forking:
        _refuse_what_forks_badly(before, watcher)
    return _manifest(app, crons, places)


def _import(app: str) -> None:
    name, _, attribute = app.partition(":")
    try:
        found: Any = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (error.name == name or name.startswith(error.name + ".")):
            raise AppFailed(f"there is no module {name!r} to import (looked from {Path.cwd()})") from error
        raise AppFailed(f"importing {name!r} failed: {sentence(error)}") from error
    except SyntaxError as error:
        raise AppFailed(
            f"importing {name!r} failed: {error.msg} ({error.filename}, line {error.lineno})"
        ) from error
    except (Exception, SystemExit) as error:
        raise AppFailed(f"importing {name!r} failed: {sentence(error)}") from error
    for part in attribute.split(".") if attribute else ():
        if not hasattr(found, part):
            raise AppFailed(f"the module {name!r} has no {attribute!r}")
        found = getattr(found, part)


def sentence(error: BaseException) -> str:
    """The error with its place: the innermost line that is neither the import system's nor the engine's."""
    text = " ".join(str(error).split())
    engine = importlib.util.find_spec(REGISTRY.partition(".")[0])
    ours = tuple(engine.submodule_search_locations or ()) if engine is not None else ()
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if "importlib" not in frame.filename and not frame.filename.startswith((__file__, *ours))
    ]
    place = f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {text}{place}" if text else f"{type(error).__name__}{place}"


def _refuse_what_forks_badly(before: Footprint, watcher: Watcher) -> None:
    after = Footprint.now()
    left = []
    threads = _beyond_a_fork(after.threads, before.threads) - before.threads
    if threads > 0:
        left.append(("thread", f"{_count(threads, 'thread')} running"))
    if after.sockets - before.sockets:
        left.append(("socket", f"{_count(len(after.sockets - before.sockets), 'stream socket')} open"))
    if left:
        said = " and ".join(
            f"{what} (by the import of {watcher.blamed[kind]})" if kind in watcher.blamed else what
            for kind, what in left
        )
        raise AppFailed(
            f"the app's import leaves {said}, which forked workers would share;"
            " begin that at the first use instead, or set preload = false"
        )


def strangers(app: str, manifest: Mapping[str, Any], queues: Iterable[str]) -> list[str]:
    """A sentence about the queues to serve in which no job of the app is, if there are any: a slip in a name,
    or in a weight (mail:x is a name), would otherwise leave workers idle in silence."""
    used = {entry["queue"] for entry in manifest["types"].values()}
    unused = sorted(set(queues) - used)
    return [f"no job of {app} is in queue {', '.join(unused)}: is the name right?"] if unused else []


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _manifest(app: str, crons: Sequence[Mapping[str, Any]], places: Sequence[str]) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = importlib.import_module(REGISTRY).manifest()
        entries, mistakes = importlib.import_module(ROSTER).collect(crons, places)
    except Exception as error:
        raise AppFailed(f"the jobs of {app!r} can't be listed: {sentence(error)}") from error
    if not manifest.get("types"):
        raise AppFailed(f"the app {app!r} defines no job: decorate a function with @job, or name its module")
    if mistakes:
        failed = AppFailed(" ".join(mistakes))
        failed.mistakes = mistakes
        raise failed
    return manifest | {"crons": entries}
