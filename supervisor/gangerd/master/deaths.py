"""The deaths that are not settled in Redis yet: in memory, and in a spool on disk that outlives the master.

One msgpack file per death, written beside and renamed into place. No fsync: the spool covers a killed
master, not a lost machine (its leases run out). A death is there until the coordinator says it is settled;
who sends it, and when, is the master's loop's business. Disk trouble never loses a death and never raises:
memory keeps it and the log says so."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from gangerd import log
from gangerd.messages import Death

BOUND = 4096
"""Unsettled deaths kept. What comes when it is full pushes out the oldest, whose leases then run out."""

_SUFFIX = ".death"
_decoder = msgspec.msgpack.Decoder(Death)
_HEX = set("0123456789abcdef")


class Deaths:
    def __init__(self, directory: Path, bound: int = BOUND) -> None:
        self._directory = directory
        self._bound = bound
        self._deaths: dict[str, Death] = {}
        self._sent: set[str] = set()
        self._unwritten: set[str] = set()
        self._log = log.get()

    def load(self) -> int:
        """Read what an earlier master left, oldest first, and make the directory; how many deaths that is.

        A file that is no death is renamed aside (*.garbled) and reported.
        """
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            paths = sorted(self._directory.iterdir())
        except OSError as error:
            self._trouble("the spool can't be read", error)
            return 0
        found = [death for path in paths if (death := self._read(path)) is not None]
        for death in sorted(found, key=lambda death: death.at_ms):
            self._keep(death)
        return len(self._deaths)

    def add(self, death: Death) -> None:
        """Keep it until it is settled. One that is here already is left as it is: the first report was made
        by those who saw it happen."""
        if death.id in self._deaths:
            return
        self._keep(death)
        if not self._write(death):
            self._unwritten.add(death.id)

    def unsent(self) -> Iterator[Death]:
        """What the present coordinator has not been sent, oldest first. Deaths may be marked as sent
        meanwhile."""
        return iter([death for death in self._deaths.values() if death.id not in self._sent])

    def sent(self, id: str) -> None:
        if id in self._deaths:
            self._sent.add(id)

    def resend_all(self) -> None:
        """A new coordinator stands: it knows nothing of what was sent to the last one."""
        self._sent.clear()

    def settled(self, id: str) -> bool:
        """It is in Redis: forget it, on disk too. False when it was not known (any more)."""
        death = self._deaths.pop(id, None)
        if death is None:
            return False
        self._sent.discard(id)
        self._unwritten.discard(id)
        try:
            self._path(death).unlink(missing_ok=True)
        except OSError as error:  # it will be sent again by a successor: a repeat is harmless
            self._trouble("a settled death stays in the spool", error, death=id)
        return True

    def retry_disk(self) -> None:
        """Write what only memory has: the disk may have room again. To be called now and then."""
        for id in list(self._unwritten):
            if not self._write(self._deaths[id], again=True):
                return
            self._unwritten.discard(id)

    @property
    def only_in_memory(self) -> int:
        """How many would be lost with this master, since the disk would not have them."""
        return len(self._unwritten)

    def __len__(self) -> int:
        return len(self._deaths)

    def __contains__(self, id: str) -> bool:
        return id in self._deaths

    def _keep(self, death: Death) -> None:
        while len(self._deaths) >= self._bound:
            oldest = next(iter(self._deaths))
            self._log.error(
                log.SPOOL_TROUBLE, problem="too many unsettled deaths: the oldest is dropped", death=oldest
            )
            self.settled(oldest)
        self._deaths[death.id] = death

    def _path(self, death: Death) -> Path:
        """Sorted by name they are sorted by time."""
        return self._directory / f"{death.at_ms:015d}-{death.id}{_SUFFIX}"

    def _write(self, death: Death, again: bool = False) -> bool:
        path = self._path(death)
        beside = path.with_suffix(".tmp")
        try:
            beside.write_bytes(msgspec.msgpack.encode(death))
            beside.rename(path)
        except OSError as error:
            with contextlib.suppress(OSError):
                beside.unlink(missing_ok=True)
            if not again:
                self._trouble("a death is kept in memory only", error, death=death.id)
            return False
        return True

    def _read(self, path: Path) -> Death | None:
        if path.suffix != _SUFFIX:
            if path.suffix == ".tmp":  # of a master that was killed in the middle of writing
                with contextlib.suppress(OSError):
                    path.unlink(missing_ok=True)
            return None
        try:
            death = _decoder.decode(path.read_bytes())
            if not death.id or not set(death.id) <= _HEX or self._path(death) != path:
                raise msgspec.ValidationError("its name is not its content's")
        except OSError as error:
            self._trouble("a death in the spool can't be read", error, file=path.name)
            return None
        except msgspec.MsgspecError as error:
            self._trouble("a file in the spool is no death: set aside", error, file=path.name)
            with contextlib.suppress(OSError):  # then it is found again at the next start
                path.rename(path.with_suffix(".garbled"))
            return None
        return death

    def _trouble(self, problem: str, error: Exception, **fields: str) -> None:
        self._log.error(log.SPOOL_TROUBLE, problem=problem, error=str(error), **fields)
