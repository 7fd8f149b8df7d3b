"""The template: imports the app once, then forks workers when the master asks.

A fresh interpreter with one thread and nothing open, so that its forks are safe and share its memory
(gc.freeze keeps the collector from writing to it). It forks twice: the worker becomes the *master's* child,
and lives on when the template does not. It imports neither the engine nor Redis by itself: the worker's
module and the app do. Run by the master: `python -m gangerd.template`.
"""

import gc
import importlib
import json
import os
import select
import signal
import sys
import time
from collections import deque
from typing import Any, NoReturn

from gangerd import application, log, probing
from gangerd.config import EXIT_OK, Config
from gangerd.edition import edition
from gangerd.linux import processes, shared_memory, signals
from gangerd.linux.channel import Channel, Closed
from gangerd.linux.descriptors import close_all
from gangerd.linux.title import Title
from gangerd.messages import (
    Drain,
    Message,
    Spawn,
    Spawned,
    SpawnFailed,
    TemplateFailed,
    TemplateReady,
    decode,
    encode,
)
from gangerd.worker.birth import Birth

PROBE_S = 60.0
"""How long an app that may not be imported here is given in a process of its own to list its jobs."""

_IGNORED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)


class Template:
    """One interpreter's life: load, then fork on request until told to leave."""

    def __init__(self, fds: dict[str, int], master_pid: int, host: str, worker_module: str) -> None:
        self._fds = fds
        self._master_pid = master_pid
        self._host = host
        self._config = Config.load_fd(fds["config"])
        self._channel: Channel[Message] = Channel(fds["channel"], encode, decode)
        self._worker_module = worker_module
        self._title = Title("ganger: template")
        self._waiting: deque[tuple[Message, tuple[int, ...]]] = deque()

    def run(self) -> int:
        config = self._config
        log.configure(config.log_format, config.log_level, role="template", threaded=False)  # type: ignore[arg-type]
        self._title.show(f"importing {config.app}", now=True)
        self._edition = edition()
        began_ns = time.monotonic_ns()
        try:
            # Before the app: the engine's modules are shared as well, and the app can't be blamed for them.
            self._worker = importlib.import_module(self._worker_module)
            manifest = _load(config, forking=True) if config.preload else _probe(config)
        except application.AppFailed as failure:
            self._channel.send(TemplateFailed(str(failure), failure.exit_code))
            return failure.exit_code
        if config.preload:
            self._worker.prepare(config, manifest)
        self._report(manifest, (time.monotonic_ns() - began_ns) // 1_000_000)
        gc.collect()
        gc.disable()
        gc.freeze()
        self._title.show(f"{config.app}, {len(manifest['types'])} types", now=True)
        return self._serve()

    def _report(self, manifest: dict[str, Any], import_ms: int) -> None:
        fd = shared_memory.anonymous("ganger-manifest", 0)
        shared_memory.write_all(fd, json.dumps(manifest).encode())
        warnings = application.strangers(self._config.app, manifest, self._config.queues)
        ready = TemplateReady(len(manifest["types"]), import_ms, warnings, edition=self._edition)
        self._channel.send(ready, (fd,))
        close_all((fd,))

    def _serve(self) -> int:
        poll = select.poll()
        poll.register(self._channel.fileno(), select.POLLIN)
        while True:
            poll.poll()
            try:
                self._waiting.extend(self._channel.receive())
                while self._waiting:
                    message, fds = self._waiting.popleft()
                    if isinstance(message, Drain):
                        return EXIT_OK
                    if isinstance(message, Spawn) and len(fds) == 2:
                        self._spawn(message, *fds)
                    close_all(fds)
            except Closed:
                return EXIT_OK  # the master is gone, and its workers with it

    def _spawn(self, spawn: Spawn, channel_fd: int, crash_fd: int) -> None:
        """Fork a child that forks the worker and ends: the orphan is the master's, who is subreaper."""
        back, forth = os.pipe2(os.O_CLOEXEC)
        try:
            between = os.fork()
        except OSError as error:
            close_all((back, forth))
            self._say(SpawnFailed(spawn.incarnation, f"the template can't fork: {error}"))
            return
        if between == 0:
            close_all((back,))
            self._fork_worker(spawn, channel_fd, crash_fd, forth)
        close_all((forth,))
        said = os.read(back, 64)
        close_all((back,))
        os.waitpid(between, 0)
        if said.isdigit():
            self._say(Spawned(spawn.incarnation, int(said)))
        else:
            self._say(SpawnFailed(spawn.incarnation, f"the fork failed: {said.decode(errors='replace')}"))

    def _say(self, message: Message) -> None:
        """Blocks while the mailbox is full: there is nothing else this process could do meanwhile."""
        while not self._channel.send(message):
            poll = select.poll()
            poll.register(self._channel.fileno(), select.POLLOUT)
            poll.poll(100)

    def _fork_worker(self, spawn: Spawn, channel_fd: int, crash_fd: int, forth: int) -> NoReturn:
        """In the process between. It must not return: its stack is the template's."""
        try:
            worker = os.fork()
        except OSError as error:
            os.write(forth, str(error).encode()[:64])
            os._exit(1)
        if worker:
            os.write(forth, str(worker).encode())
            os._exit(0)
        code = 1
        try:
            close_all((forth,))
            code = self._be_worker(spawn, channel_fd, crash_fd)
        except BaseException:
            log.get().exception(log.INTERNAL_ERROR, where="a worker's main function", slot=spawn.slot)
        finally:
            log.flush()
            os._exit(code)

    def _be_worker(self, spawn: Spawn, channel_fd: int, crash_fd: int) -> int:
        while os.getppid() != self._master_pid:
            # Until the process between has ended; not when the master has, then nobody ever becomes it.
            if not _alive(self._master_pid):
                return 1
            time.sleep(0.0002)
        if not processes.die_with_parent(self._master_pid):
            return 1
        self._channel.close()
        for _, fds in self._waiting:
            close_all(fds)  # siblings' channels: a copy here would hide their end
        log.after_fork("worker")
        birth = Birth(
            slot=spawn.slot,
            incarnation=spawn.incarnation,
            generation=spawn.generation,
            channel_fd=channel_fd,
            crash_fd=crash_fd,
            recorder_fd=self._fds["recorder"],
            doorbell_fd=self._fds["doorbell"],
            master_pid=self._master_pid,
            host=self._host,
            config=self._config,
            leaf=spawn.leaf,
            import_app=not self._config.preload,
        )
        result: int = self._worker.main(birth)
        return result


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _probe(config: Config) -> dict[str, Any]:
    """The manifest of an app that may not be imported in the process that forks. Raises AppFailed."""

    def ask() -> dict[str, Any]:
        try:
            return {"manifest": _load(config, forking=False)}
        except application.AppFailed as failure:
            return {"error": str(failure), "exit_code": failure.exit_code}

    try:
        found = probing.in_child(ask, PROBE_S)
    except probing.Ended as ended:
        raise application.AppFailed(f"importing {config.app!r} {ended}") from None
    if "manifest" not in found:
        raise application.AppFailed(found["error"], found["exit_code"])
    manifest: dict[str, Any] = found["manifest"]
    return manifest


def _load(config: Config, *, forking: bool) -> dict[str, Any]:
    return application.load(config.app, forking=forking, crons=config.crons, places=config.cron_places)


def main() -> int:
    # Taken out of the environment: the app and what it starts have no business with these.
    master_pid = int(os.environ.pop("GANGERD_MASTER"))
    fds: dict[str, int] = json.loads(os.environ.pop("GANGERD_FDS"))
    host, worker_module = os.environ.pop("GANGERD_INCARNATION"), os.environ.pop("GANGERD_WORKER")
    os.environ.pop("GANGERD_ROLE", None)
    if not processes.die_with_parent(master_pid):
        return 1
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    # A worker must survive a knock that comes before it has its handlers: ignoring is inherited.
    signals.ignore_own_signals()
    for fd in fds.values():
        os.set_inheritable(fd, False)
    return Template(fds, master_pid, host, worker_module).run()


if __name__ == "__main__":
    sys.exit(main())
