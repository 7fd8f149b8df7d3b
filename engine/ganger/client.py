"""The client: pushes jobs, by name or on behalf of an actor. Safe for threads and for forking servers.

It checks options and arguments, encodes bodies and leaves the way to Redis to pushing.py. A job whose type is
not defined in this process is checked against the types that live hosts announce.
"""

import copy
import itertools
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from msgspec.structs import replace

from ganger import diversion
from ganger import options as known
from ganger.announced import AnnouncedTypes
from ganger.arguments import plain
from ganger.clock import now_ms
from ganger.cluster import Cluster
from ganger.config import EngineConfig
from ganger.durability import replicas_of
from ganger.errors import BadArguments, BadOptions, JobTooLarge
from ganger.following import Follower
from ganger.job import Body, encode_body
from ganger.keys import Control, check_queue, check_type
from ganger.label import NO_LABEL, Label
from ganger.middleware import Call, Outgoing, around_push, wraps_pushes
from ganger.options import Options
from ganger.push_options import PushOptions, check_headers, push_options
from ganger.pushing import JobSink, Pusher, Target
from ganger.rows import Row, Rows
from ganger.sealing import quiet, sealed_body, seals
from ganger.unique_push import UniquePusher, unique_locks


class Client(Follower):
    """`Client()` finds its settings itself (GANGER_REDIS, ganger.toml, embedded servers); see
    EngineConfig. `durability` comes before theirs."""

    def __init__(
        self, config: EngineConfig | None = None, *, cluster: Cluster | None = None, durability: str = ""
    ) -> None:
        self._config = (diversion.discover() if config is None else config).at_level(durability)
        self._cluster = Cluster(self._config.redis) if cluster is None else cluster
        self.replicas = replicas_of(self._config.durability)
        """How many must have a write before a call returns; see durability.py."""
        self._pusher = Pusher(self._cluster, self._config.namespace, replicas=self.replicas)
        self._sink: JobSink = self._pusher
        self._unique = UniquePusher(self._cluster, self._pusher, replicas=self.replicas)
        self._announced = AnnouncedTypes(self._cluster, Control(self.namespace), self._config.unknown_types)

    @property
    def cluster(self) -> Cluster:
        """The way to Redis, for the other parts of the engine."""
        return self._cluster

    @property
    def namespace(self) -> str:
        return self._config.namespace

    @property
    def pusher(self) -> Pusher:
        return self._pusher

    def through(self, sink: JobSink) -> "Client":
        """This client, its checked jobs going another way: into a batch."""
        made = copy.copy(self)
        made._sink = sink
        return made

    def push(
        self,
        type: str,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        jid: str | None = None,
        **options: Any,
    ) -> str:
        """Push a job by its type's name; its jid. `options`: queue, priority, delay, at, retry, timeout,
        expires_in, track, headers (see PushOptions).

        With the `jid` of an earlier push, nothing is added twice. Raises UnknownType when hosts are announced
        and none serves it, BadArguments, BadOptions, JobTooLarge, OutcomeUnknown (push again with its .jids),
        NodeDown and the like."""
        chosen = push_options(options)
        of_type = self._options_of(type)
        with quiet(type, of_type):
            if isinstance(args, str | bytes | Mapping) or not isinstance(args, Iterable):
                raise BadArguments(
                    f"args must be a list or tuple, not {args!r:.80}; named ones go into kwargs."
                )
            if not isinstance(kwargs or {}, Mapping):
                raise BadArguments(f"kwargs must be a dict of named arguments, not {kwargs!r:.80}.")
            body = [plain(value, f"args[{place}]") for place, value in enumerate(args)]
            named = {name: plain(value, name) for name, value in (kwargs or {}).items()}
        return self.send(type, of_type, chosen, [(body, named)], jid=jid)[0]

    def push_many(
        self, type: str, calls: Iterable[Sequence[Any] | Mapping[str, Any]], **options: Any
    ) -> list[str]:
        """Push many of one type in one trip; each call is a sequence of args or a mapping of kwargs."""
        chosen = push_options(options)
        of_type = self._options_of(type)

        def check(call: Any) -> Row:
            args, kwargs = split_call(call)
            return (
                [plain(value, f"args[{place}]") for place, value in enumerate(args)],
                {name: plain(value, name) for name, value in kwargs.items()},
            )

        with quiet(type, of_type):
            rows = list(Rows(check, calls)) if seals(of_type) else Rows(check, calls)
        return self.send(type, of_type, chosen, rows)

    def reserve(
        self,
        type: str,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> str:
        """A jid for one push to come: whatever becomes of that push, another one with this jid adds nothing
        twice, for ten minutes from the first. `options`: as for push; only queue and unique_for matter.
        Arguments matter to a unique type alone."""
        known_as, chosen = self._options_of(type), push_options(options)
        queue = known_as.queue if chosen.queue is None else check_queue(chosen.queue)
        locks = unique_locks(queue, type, known_as, chosen, [(args, kwargs or {})])
        instead = diversion.current()
        if instead is not None:
            return instead.reserve(queue)
        return self._pusher.reserve(queue) if locks is None else self._unique.reserve(queue, locks[0])

    def send(
        self,
        type: str,
        options: Options,
        chosen: PushOptions,
        calls: Collection[Row],
        *,
        jid: str | None = None,
    ) -> list[str]:
        """The rest of a push, once type and arguments are known to be good: also what an actor calls."""
        if not wraps_pushes() or not calls:
            return self._send(type, options, chosen, calls, chosen.headers, jid)
        rows = tuple(Call(list(args), dict(kwargs)) for args, kwargs in calls)
        push = Outgoing(type, rows, chosen, dict(chosen.headers or {}))

        def send() -> list[str]:
            with quiet(type, options):
                changed = push.rows()
            return self._send(type, options, push.options, changed, push.headers, jid)

        return around_push(push, send)

    def _send(
        self,
        type: str,
        options: Options,
        chosen: PushOptions,
        calls: Collection[Row],
        headers: dict[str, str] | None,
        jid: str | None,
    ) -> list[str]:
        """The part of a push that the middlewares stand around."""
        jid = chosen.jid if jid is None else jid
        if jid is not None and len(calls) != 1:
            raise BadOptions(f"jid {jid} is the name of one job, and this push is of {len(calls)}.")
        delay_ms, at_ms = chosen.due()
        target = Target(
            queue=options.queue if chosen.queue is None else check_queue(chosen.queue),
            priority=options.priority if chosen.priority is None else known.check_priority(chosen.priority),
            type=type,
            delay_ms=delay_ms,
            at_ms=at_ms,
        )
        expires_in = options.expires_in
        if chosen.expires_in is not None:
            expires_in = known.check_expires_in(chosen.expires_in)
        pushed_at_ms = now_ms()
        track = options.track if chosen.track is None else known.check_track(chosen.track)
        label = Label(
            expires_in_ms=None if expires_in is None else int(expires_in * 1000),
            track_ms=None if track is None else max(1, int(track * 1000)),
        )
        if label == NO_LABEL:
            label = NO_LABEL
        locks = unique_locks(target.queue, type, options, chosen, calls)
        until_start = options.unique_until == "start"
        overrides = chosen.overrides()
        sent_along = check_headers(headers) if headers else {}
        instead = diversion.current()
        seal = partial(sealed_body, type) if seals(options) and instead is None else None
        bodies = [
            self._encode(
                Body(list(args), dict(kwargs), pushed_at_ms, overrides, sent_along),
                label if lock is None else replace(label, unique=lock.digest, until_start=until_start),
                seal,
            )
            for (args, kwargs), lock in zip(calls, locks or itertools.repeat(None), strict=False)
        ]
        if not bodies:
            return []
        if instead is not None:
            return instead.push(target, bodies, locks, jid)
        if locks is not None:
            if self._sink is not self._pusher:
                raise BadOptions(f"{type} is unique: it can't belong to a batch.")
            if len(bodies) == 1:
                return [self._unique.push(target, bodies[0], locks[0], jid=jid)]
            return self._unique.push_many(target, bodies, locks)
        if len(bodies) == 1:
            return [self._sink.push_one(target, bodies[0], jid=jid)]
        return self._sink.push_many(target, bodies)

    def holder(
        self,
        type: str,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> str | None:
        """The jid of the job that holds the unique lock of such a push, or None when it is free. `options`:
        as for push; only queue matters. Raises BadOptions when the type is not unique."""
        known_as, chosen = self._options_of(type), push_options(options)
        queue = known_as.queue if chosen.queue is None else check_queue(chosen.queue)
        locks = unique_locks(queue, type, known_as, chosen, [(args, kwargs or {})])
        if locks is None:
            raise BadOptions(f"job type {type!r} is not unique: its option unique_for says so.")
        instead = diversion.current()
        if instead is not None:
            return instead.holder(locks[0])
        return self._unique.holder(queue, locks[0])

    def close(self) -> None:
        """Close the connections; a later push opens new ones."""
        self._cluster.close()

    def _encode(self, body: Body, label: Label, seal: Callable[[Body], Body] | None) -> bytes:
        if seal is not None:
            body = seal(body)
        try:
            data = encode_body(body, label)
        except (TypeError, ValueError, OverflowError) as error:
            raise BadArguments(f"the arguments can't be written as JSON: {error}.") from None
        most = self._config.max_job_bytes
        if len(data) > most:
            raise JobTooLarge(
                f"The job is {len(data)} bytes as JSON, more than max_job_bytes = {most};"
                " push a reference to the data instead."
            )
        return data

    def _options_of(self, type: str) -> Options:
        """The type's options: from this process, or as announced."""
        check_type(type)
        found = known.defined(type)
        if found is not None:
            return found
        if diversion.current() is not None:
            return Options()
        return self._announced.options_of(type)


def split_call(call: Any) -> tuple[Sequence[Any], Mapping[str, Any]]:
    """(args, kwargs) of one element of push_many. Raises BadArguments."""
    if isinstance(call, Mapping):
        return (), call
    if isinstance(call, list | tuple):
        return call, {}
    raise BadArguments(f"push_many takes a tuple of arguments (or a dict of them) per job, not {call!r:.80}.")


_default: Client | None = None
_default_lock = threading.Lock()


def default_client() -> Client:
    """The client behind Actor.push, made at the first use. Raises NotConfigured."""
    global _default
    with _default_lock:
        if _default is None:
            _default = Client()
        return _default


def known_default_client() -> Client | None:
    """The same, None when there was no use for it yet."""
    return _default


def set_default_client(client: Client | None) -> None:
    """Use this client from now on (tests, an application with settings of its own)."""
    global _default
    with _default_lock:
        _default = client
