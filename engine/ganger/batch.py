"""Batches: jobs whose common end is told by callbacks.

    with Batch(success=publish, complete=report, death=alarm, description="import 42") as batch:
        batch.push_many(load, [(row,) for row in rows])

Members run as soon as they are pushed; the end of the `with` block commits the batch, and only then complete
and success fire. Each fires once: `death` at the first member that is dead or exhausted, `complete` when
every member has ended in whatever way, `success` when all have succeeded and the complete callback has ended.
Members and callbacks may add to their batch (`Batch.current()`), and so may whoever knows its id
(`Batch.open(bid)`), until its success. docs/batches.md tells the whole story.

Crash points. Registered, not made: the scheduler forgets the id. Made, not committed: members run, nothing
fires, `ganger batches` shows it as abandoned after half an hour; whoever knows its id may go on with it. A
child made, but not yet a member of its parent: as if it had not been made. Numbered in the parent, not yet
told so: the parent's outbox says it, and the scheduler tells.
"""

import random
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from types import TracebackType
from typing import Any, ParamSpec, Self

from ganger import diversion
from ganger import jid as jids
from ganger.actor import Actor, Push
from ganger.async_client import THREADS
from ganger.batch_status import BatchStatus, status
from ganger.client import Client, default_client
from ganger.clock import now_ms
from ganger.command import Word
from ganger.current import current
from ganger.errors import BadOptions, BatchClosed, BatchNotFound, GangerError
from ganger.keys import BatchKeys, Control
from ganger.members import Draft, Members
from ganger.operations import batch as operations
from ganger.operations import outbox
from ganger.operations.outbox import Effect
from ganger.threads import Threads

Calls = Iterable[Sequence[Any] | Mapping[str, Any]]
P = ParamSpec("P")
Callback = Actor[..., Any] | Push[..., Any] | tuple[Any, ...]
"""A job, with options or without; or a tuple of one and its arguments."""
MAX_DESCRIPTION = 200
_threads = Threads(THREADS)
AT_A_TIME = 8_000


class Batch:
    """See above. Nothing is sent before the block begins or the first job is pushed."""

    def __init__(
        self,
        *,
        success: Callback | None = None,
        complete: Callback | None = None,
        death: Callback | None = None,
        description: str = "",
        client: Client | None = None,
    ) -> None:
        callbacks = {"success": success, "complete": complete, "death": death}
        self._callbacks = {which: _split(which, given) for which, given in callbacks.items() if given}
        self._description = description[:MAX_DESCRIPTION]
        self._begin(mint_bid(), client or default_client(), made=False)

    def _begin(self, bid: str, client: Client, *, made: bool) -> None:
        self.bid = bid
        self._own_client = client
        self._keys = BatchKeys(client.namespace, bid)
        self._replicas = client.replicas
        self._made = made
        self._parent: Batch | None = None
        self._op = ""
        self._members = Members(client.cluster, client.pusher, self._keys, replicas=self._replicas)
        self._client = client.through(self._members)

    @classmethod
    def open(cls, bid: str, *, client: Client | None = None) -> Self:
        """A batch that was made before, here or elsewhere. Raises BadName; BatchNotFound only when it is
        used."""
        found = cls.__new__(cls)
        found._callbacks, found._description = {}, ""
        found._begin(bid, client or default_client(), made=True)
        return found

    @classmethod
    def current(cls, *, client: Client | None = None) -> Self:
        """The batch of the job under way, as a member or as a callback. Raises NoJob, BadOptions."""
        bid = current().batch_id
        if bid is None:
            raise BadOptions("this job belongs to no batch.")
        return cls.open(bid, client=client)

    def __enter__(self) -> Self:
        self._make()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            self.commit()

    def push(self, job: Actor[P, Any] | Push[P, Any], *args: P.args, **kwargs: P.kwargs) -> str:
        """Add one job; its jid. Raises what a push does, and BatchNotFound, BatchClosed."""
        self._make()
        return _push_of(job).push_with(self._client, *args, **kwargs)

    def push_many(self, job: Actor[..., Any] | Push[..., Any], calls: Calls) -> list[str]:
        """Add many of one type: a tuple of args, or a dict of kwargs, per job. They are taken a few thousand
        at a time, so that a generator of millions will do; those before one that is refused are in."""
        self._make()
        pushed: list[str] = []
        rows = iter(calls)
        while some := list(islice(rows, AT_A_TIME)):
            pushed += _push_of(job).push_many(some, client=self._client)
        return pushed

    @property
    def client(self) -> Client:
        """A client whose pushes become members: for jobs known by name only."""
        self._make()
        return self._client

    def child(
        self,
        *,
        success: Callback | None = None,
        complete: Callback | None = None,
        death: Callback | None = None,
        description: str = "",
    ) -> "Batch":
        """A batch that is a member of this one: it succeeds for it when it has succeeded and its success
        callback as well. A death in it is one in this batch too."""
        made = Batch(
            success=success,
            complete=complete,
            death=death,
            description=description,
            client=self._own_client,
        )
        made._parent = self
        return made

    def commit(self) -> None:
        """Let the callbacks fire once everything has ended: at once where there is no member. Harmless when
        repeated. Raises BatchNotFound. In a test mode, which counts nothing, complete and success are pushed
        now."""
        self._make()
        if diversion.current() is not None:
            for which in ("complete", "success"):
                if which in self._callbacks:
                    push, args = self._callbacks[which]
                    push.push_with(self._own_client, *args)
            return
        if operations.commit(self._own_client.cluster, self._keys, replicas=self._replicas):
            with suppress(GangerError):  # the scheduler delivers it
                self._members.deliver_owed()

    def status(self) -> BatchStatus:
        """How far it is. Raises BatchNotFound."""
        return status(self._own_client.cluster, self._keys)

    # ---- the same for coroutines: in a thread, see async_client.py ----------------------------------------

    async def __aenter__(self) -> Self:
        await _threads.run(self._make)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            await self.acommit()

    async def apush(self, job: Actor[P, Any] | Push[P, Any], *args: P.args, **kwargs: P.kwargs) -> str:
        """`push` for coroutines."""
        return await _threads.run(lambda: self.push(job, *args, **kwargs))

    async def apush_many(self, job: Actor[..., Any] | Push[..., Any], calls: Calls) -> list[str]:
        """`push_many` for coroutines."""
        return await _threads.run(lambda: self.push_many(job, calls))

    async def acommit(self) -> None:
        """`commit` for coroutines."""
        await _threads.run(self.commit)

    async def astatus(self) -> BatchStatus:
        """`status` for coroutines."""
        return await _threads.run(self.status)

    def __repr__(self) -> str:
        return f"<batch {self.bid}>"

    # ---- making it ---------------------------------------------------------------------------------------

    def _make(self) -> None:
        if self._made or diversion.current() is not None:
            return
        if self._parent is not None:
            self._parent._make()
        cluster = self._own_client.cluster
        about: dict[str, Word] = {"bid": self.bid, "description": self._description}
        if self._parent is not None:
            about["parent_bid"] = self._parent.bid
        for which, (push, args) in self._callbacks.items():
            draft = Draft(self._own_client.pusher, self.bid, which)
            push.push_with(self._own_client.through(draft), *args)
            if draft.parcel is not None:
                about[f"{which}_job"] = draft.parcel.owed()
        operations.register(cluster, Control(self._keys.namespace), self.bid, replicas=self._replicas)
        operations.create(cluster, self._keys, about, replicas=self._replicas)
        if self._parent is not None:
            self._join(self._parent)
        self._made = True

    def _join(self, parent: "Batch") -> None:
        cluster = self._own_client.cluster
        # Named when it is first made, and again the same: the parent knows only the latest calls.
        self._op = self._op or jids.mint("batch", 0)[0]
        try:
            number = parent._members.reserve(f"c:{self.bid}", self._op)
        except (BatchNotFound, BatchClosed):
            operations.delete(cluster, self._keys)
            raise
        adopt = operations.adopt_command(self._keys, f"{parent.bid}:{number}")
        operations.parse_owes(cluster.run(adopt, replicas=self._replicas), self._keys)
        box = outbox.box_of(parent._keys)
        outbox.clear(cluster, box, [Effect(box, f"c:{self.bid}".encode(), b"%d " % number)])


def mint_bid() -> str:
    """A new batch id: the time, and 60 random bits."""
    return f"b-{jids.encode(now_ms(), 9)}{jids.encode(random.SystemRandom().getrandbits(60), 12)}"


def _push_of(job: Any) -> Push[..., Any]:
    if isinstance(job, Actor):
        return job.options()
    if isinstance(job, Push):
        return job
    raise BadOptions(f"a batch takes functions with @job, or their .options(...), not {job!r:.80}.")


def _split(which: str, given: Any) -> tuple[Push[..., Any], tuple[Any, ...]]:
    """The job of a callback and its arguments. Raises BadOptions."""
    job, args = (given[0], given[1:]) if isinstance(given, tuple) and given else (given, ())
    try:
        return _push_of(job), args
    except BadOptions as error:
        raise BadOptions(f"{which}: {error}") from None
