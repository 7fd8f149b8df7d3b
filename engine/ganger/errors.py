"""Every error that ganger raises on purpose: one tree under GangerError.

Whoever raises one passes a single clear sentence that says what happened and what to do; the classes only
give it a name to catch. Nothing here knows Redis: the transport translates server replies into these, so
that an application catches `GangerError` and never a class of a client library. No text of any of these
ever holds a password.
"""

from collections.abc import Mapping, Sequence
from typing import Any


class GangerError(Exception):
    """The root: catch this to catch all that ganger raises on purpose."""


# ---- what is wrong with the settings or the server -----------------------------------------------------


class NotConfigured(GangerError):
    """No Redis is named anywhere; the text says what to set."""


class BadSettings(GangerError):
    """A setting is there but can't be used (a URL that can't be read, an unknown durability...)."""


class RedisUnreachable(GangerError):
    """No node of the cluster answers; the text names the addresses tried."""


class NotACluster(GangerError):
    """The server answers, but does not run in cluster mode."""


class WrongPassword(GangerError):
    """The server refuses the user name or the password, or wants one and was given none."""


class ServerTooOld(GangerError):
    """The server is older than Redis 7.0, whose scripts and sharded pub/sub are needed."""


class EvictionEnabled(GangerError):
    """maxmemory-policy is not noeviction: the server would silently throw jobs away when it is full."""


class NoDisk(GangerError):
    """durability is "fsynced", and a server has no append-only file, or is too old to tell what is in it."""


# ---- what may happen to one command --------------------------------------------------------------------


class NodeDown(GangerError):
    """The node that holds the slot can't be reached, and this command was never run (of a push: nothing was
    pushed): safe to try again."""


class OutcomeUnknown(GangerError):
    """The command was sent but no reply came back (or too few replicas confirmed): it may have run.

    `jids` names the jobs that may or may not be in the queue; pushing the same jids again is safe and adds
    nothing twice.
    """

    def __init__(self, message: str, *, jids: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.jids: tuple[str, ...] = tuple(jids)


class NotUnique(GangerError):
    """Another job holds the unique lock; nothing was pushed. `holder` is its jid."""

    def __init__(self, message: str, *, holder: str) -> None:
        super().__init__(message)
        self.holder = holder


class ClusterUnavailable(GangerError):
    """The cluster answered until the deadline that it can't serve the slot now; nothing was run."""


class ServerFull(GangerError):
    """The server has reached maxmemory and refuses to store more; nothing was run."""


class ServerBusy(GangerError):
    """A script on the node ran until the deadline and let nobody else in; nothing was run."""


class WriteRefused(GangerError):
    """The node refuses writes (too few replicas, or it can't persist to disk); nothing was run."""


class ScriptFailed(GangerError):
    """A command or script answered with an error that no repetition cures; the text names it."""


# ---- what is wrong with a call of the application -------------------------------------------------------


class BadName(GangerError, ValueError):
    """A namespace, queue or job type with characters or a length that are not allowed."""


class BadOptions(GangerError, ValueError):
    """An option of a job or of a push that is unknown, out of range, or not built yet."""


class BadHandler(GangerError, TypeError):
    """A function that can't be a job: a lambda, a class, a generator, an annotation that can't be checked."""


class BadArguments(GangerError, TypeError):
    """Arguments that JSON can't hold or that the handler's signature does not take; names the argument."""


class CantDecrypt(BadArguments):
    """The job's arguments are encrypted with a key that this process does not have, or were tampered with;
    names the key's id."""


class JobTooLarge(GangerError, ValueError):
    """The encoded job is larger than `max_job_bytes`."""


class BadMiddleware(GangerError, TypeError):
    """A function that can't be a middleware, or one that calls proceed() twice."""


class PushRefused(GangerError):
    """A middleware refused the push: nothing is in. Raised by middlewares of the application's own."""


class UnknownType(GangerError, LookupError):
    """No live worker announces this job type."""


class UnknownTypeWarning(UserWarning):
    """The same, where `unknown_types` is "warn": the job was pushed all the same."""


class JobNotFound(GangerError, LookupError):
    """No job of this jid is in its partition (any more)."""


class NotNow(GangerError):
    """Something isn't to be had now, and nothing has been done; `retry_in_s` says when to look again. A job
    that lets one through comes back then, with no attempt used."""

    def __init__(self, message: str, *, retry_in_s: float) -> None:
        super().__init__(message)
        self.retry_in_s = retry_in_s


class StillPending(NotNow):
    """once(): another holder is running the block of this key."""

    def __init__(self, message: str, *, retry_in_s: float, jid: str = "", attempt: int = 0) -> None:
        super().__init__(message, retry_in_s=retry_in_s)
        self.jid = jid
        """Of the holder; empty when that is no job."""
        self.attempt = attempt


class Superseded(GangerError):
    """once(): a later holder has begun the block: a later delivery of this very job, or another caller after
    `pending_ttl`. The block may run, or have run, twice."""


class FailedBefore(GangerError):
    """once(failed="raise"): the block of this key has failed before; the text says of what."""


class ResultNotKept(GangerError, ValueError):
    """once(): the block ran to its end, and will not run again, but its result is too large or no JSON."""


class BatchNotFound(GangerError, LookupError):
    """There is no batch of this id (any more)."""


class BatchClosed(GangerError):
    """The success of this batch has been decided, or it has as many members as one may have."""


class CronNotFound(GangerError, LookupError):
    """No live host has a cron entry of this name."""


class CronStillRuns(GangerError):
    """A run of this cron entry has not ended, and the entry says that runs must not overlap."""


class JobEnded(JobNotFound):
    """The job is over, or a dead letter: there is nothing left to cancel."""


class JobFailed(GangerError):
    """There is no result, for the job did not end well. `how` says how: exhausted, dead, cancelled,
    expired or skipped; `failures` are the last ones, as `ganger job show` tells them."""

    def __init__(self, message: str, *, how: str, failures: Sequence[Mapping[str, Any]] = ()) -> None:
        super().__init__(message)
        self.how = how
        self.failures = list(failures)


class NoResult(GangerError, LookupError):
    """There is no result to be had: the job isn't tracked, its result has expired or could not be kept."""


class StillRunning(GangerError, TimeoutError):
    """The job had not ended within the time given to wait for its result."""


class LeaseLost(GangerError):
    """This attempt has lost its job to another (its host was away for longer than a lease): what it would
    keep is not kept."""


# ---- limits ---------------------------------------------------------------------------------------------


class BadThrottleServer(GangerError):
    """A server of GANGER_SEMAPHORES that can't be one: in cluster mode, a replica, the same as another..."""


class QuorumLost(NotNow):
    """Too few of the servers for semaphores answer, so nothing is granted."""


class NoPermit(NotNow):
    """No permit of this semaphore was to be had in the time given."""


class LimitMismatch(GangerError):
    """Two callers of one semaphore name give it limits whose permits can't be counted together."""


class LimitMismatchWarning(UserWarning):
    """Two callers of one semaphore name give it different limits: the larger one holds."""


class RateExceeded(NotNow):
    """The rate allows no more now; nothing was consumed."""


class PermitLost(GangerError):
    """The permit's validity ended under its holder: others may hold as many by now as the limit allows."""


class Uninitialised(GangerError):
    """Internal: a partition lacks its structures; the operations open it and repeat the call."""


class JobTimeout(Exception):
    """Raised inside a handler whose time is up.

    Not a GangerError: a handler that catches ganger's own errors must not swallow the end of its time.
    """


PASSING = (NodeDown, OutcomeUnknown, ServerBusy, ClusterUnavailable, WrongPassword)
"""What a node may answer for a while: it is down, hangs, runs a long script, loads its data, has no free
connection, or another password, as they are being changed. One that no node accepts is another matter."""
