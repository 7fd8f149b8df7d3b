"""Cron entries: what is pushed at each tick of a schedule, and what happens when a tick can't be kept.

`Cron` is what a person writes, `CronEntry` the same checked and completed: a host announces its entries, the
scheduler's leader fires them. All mistakes of an entry are found at once. No I/O, no clock.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import msgspec

from ganger.arguments import Signature
from ganger.cron.expression import Schedule, check_zone, schedule
from ganger.errors import BadArguments, BadName, BadOptions
from ganger.job import Body, encode_body
from ganger.keys import Partition, check_name, check_queue, check_type
from ganger.label import Label
from ganger.options import Options, check_expires_in, check_priority, check_retry, check_timeout
from ganger.sealing import quiet, sealed_body
from ganger.unique import digest, partition_index

MISSED = ("skip", "once", "all")
OVERLAP = ("allow", "skip")
MAX_NAME = 128
MAX_BYTES = 64 * 1024
"""Of an entry as JSON: each host announces all of its entries."""
HOLD_MS = 7 * 24 * 3600 * 1000
"""Longer than this a run keeps none from following, where runs must not overlap."""
MAX_WINDOW_S = 366 * 24 * 3600.0


class Cron(msgspec.Struct, frozen=True, omit_defaults=True):
    """One schedule of a job, for `@job(cron=...)`: `Cron("0 3 * * *", tz="Europe/Berlin", overlap="skip")`.
    docs/cron.md tells each field. Times in seconds."""

    cron: str
    tz: str | None = None
    name: str | None = None
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = {}
    queue: str | None = None
    priority: int | None = None
    retry: int | None = None
    timeout: float | timedelta | None = None
    expires_in: float | timedelta | None = None
    missed: str = "once"
    missed_window: float | timedelta | None = None
    overlap: str = "allow"


FIELDS = (*Cron.__struct_fields__, "type")
"""What a [[cron]] table may hold."""


class CronEntry(msgspec.Struct, frozen=True):
    """A checked entry, as it travels between hosts."""

    name: str
    type: str
    cron: str
    tz: str
    queue: str
    priority: int
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    overrides: dict[str, Any] = {}
    expires_in: float | None = None
    track: float | None = None
    missed: str = "once"
    missed_window: float | None = None
    overlap: str = "allow"
    unique: str = ""
    """Of a unique type: the digest of its jobs, whose lock a tick takes as any push would."""
    unique_ms: int = 0
    until_start: bool = False
    sealed: str = ""
    """Args and kwargs encrypted (sealing.py); then those two are empty."""
    table: bool = False
    """It was written in a [[cron]] table, not in the code."""

    @property
    def schedule(self) -> Schedule:
        return schedule(self.cron, self.tz)

    @property
    def window_ms(self) -> int | None:
        return None if self.missed_window is None else int(self.missed_window * 1000)

    @property
    def timing(self) -> str:
        """What makes it another schedule when it changes."""
        return f"{self.cron} {self.tz}"

    @property
    def lock(self) -> str:
        """The digest of the lock that one run holds until it has ended; empty where runs may overlap."""
        return self.unique or ("" if self.overlap == "allow" else _digest(f"cron:{self.name}").hex())

    @property
    def hold_ms(self) -> int:
        """How long that lock lasts if nobody frees it."""
        return self.unique_ms or HOLD_MS

    def partition(self, places: Sequence[Partition]) -> Partition:
        """The one partition of its queue that keeps its state, and takes its jobs: found by the name, or of a
        unique type where its lock must lie."""
        if self.unique:
            return places[partition_index(self.unique, len(places))]
        return places[int.from_bytes(_digest(self.name), "big") % len(places)]

    def body(self, at_ms: int, tick_ms: int | None) -> bytes:
        """The job of a tick (None: it is run by hand), pushed at `at_ms`."""
        expires_at_ms = None if self.expires_in is None else at_ms + int(self.expires_in * 1000)
        track_ms = None if self.track is None else max(1, int(self.track * 1000))
        label = Label(
            expires_at_ms, unique=self.lock or None, until_start=self.until_start, track_ms=track_ms
        )
        headers = {"cron": self.name}
        if tick_ms is not None:
            headers["cron-tick-ms"] = str(tick_ms)
        body = Body(self.args, self.kwargs, at_ms, self.overrides, headers, self.sealed)
        return encode_body(body, label)

    def seal(self) -> "CronEntry":
        """The entry with its arguments encrypted. Raises NotConfigured, BadSettings."""
        body = sealed_body(self.type, Body(self.args, self.kwargs))
        return msgspec.structs.replace(self, args=[], kwargs={}, sealed=body.sealed)


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=10).digest()


def of_job(given: Any, tz: Any, type: str, options: Options, signature: Signature) -> tuple[CronEntry, ...]:
    """The entries that `@job(cron=, tz=)` asks for; of several, those without a name are numbered. Raises
    BadOptions."""
    if given is None:
        if tz is not None:
            raise BadOptions("option tz goes with cron; delayed jobs have no use for it.")
        return ()
    several = given if isinstance(given, list | tuple) else [given]
    made = []
    for number, one in enumerate(several, start=1):
        cron = Cron(one) if isinstance(one, str) else one
        if not isinstance(cron, Cron):
            raise BadOptions(f"option cron takes a text, a Cron(...), or a list of them, not {one!r}.")
        fields = {name: getattr(cron, name) for name in Cron.__struct_fields__}
        fields["tz"] = tz if cron.tz is None else cron.tz
        fields["name"] = cron.name or (type if number == 1 else f"{type}:{number}")
        entry, mistakes = check({**fields, "type": type}, options, signature)
        if entry is None:
            raise BadOptions(" ".join(mistakes))
        made.append(entry)
    return tuple(made)


def check(
    given: Mapping[str, Any], options: Options, signature: Signature
) -> tuple[CronEntry | None, list[str]]:
    """The entry that is asked for, of a type with these options and arguments; or all that is wrong."""
    said = {name: value for name, value in given.items() if value is not None}
    mistakes: list[str] = []

    def take(name: str, rule: Callable[[Any], Any], default: Any = None) -> Any:
        try:
            return rule(said[name]) if name in said else default
        except (BadOptions, BadName) as error:
            mistakes.append(str(error))
            return default

    type = take("type", check_type, "")
    name = take("name", lambda value: check_name("the name of a cron entry", value, MAX_NAME), type)
    try:
        Schedule(said.get("cron", ""))
    except BadOptions as error:
        mistakes.append(str(error))
    take("tz", check_zone)
    overrides = {"retry": take("retry", check_retry), "timeout": take("timeout", check_timeout)}
    with quiet(type, options):
        args, kwargs = _arguments(said.get("args", ()), said.get("kwargs", {}), signature, mistakes)
    entry = CronEntry(
        name=name,
        type=type,
        cron=said.get("cron", ""),
        tz=said.get("tz", "UTC"),
        queue=take("queue", check_queue, options.queue),
        priority=take("priority", check_priority, options.priority),
        args=args,
        kwargs=kwargs,
        overrides={name: value for name, value in overrides.items() if value is not None},
        expires_in=take("expires_in", check_expires_in, options.expires_in),
        track=options.track,
        missed=take("missed", _one_of("missed", MISSED), "once"),
        missed_window=take("missed_window", _window),
        overlap=take("overlap", _one_of("overlap", OVERLAP), "allow"),
    )
    if options.unique_for is not None and not mistakes:
        entry = _unique(entry, options, mistakes)
    if not mistakes and len(msgspec.json.encode(entry)) > MAX_BYTES:
        mistakes.append(f"it is more than {MAX_BYTES:,} bytes as JSON; push a reference to the data instead.")
    return (None, mistakes) if mistakes else (entry, [])


def of_schedule(text: str, tz: str) -> CronEntry:
    """An entry that only ticks, for looking at a schedule. Raises BadOptions."""
    Schedule(text, tz)
    return CronEntry(name="-", type="-", cron=text, tz=tz, queue="-", priority=5)


def read(data: bytes) -> list[CronEntry]:
    """Entries as another host announced them; nothing for what another version, or anybody else, may have
    written."""
    try:
        found = msgspec.json.decode(data, type=list[CronEntry])
    except (msgspec.DecodeError, RecursionError):
        return []
    return [entry for entry in found if _can_fire(entry)]


def _can_fire(entry: CronEntry) -> bool:
    """What `check` holds true, of an entry that was not checked here. Its schedule is read by who needs it:
    zones are not known alike everywhere."""
    try:
        check_name("the name of a cron entry", entry.name, MAX_NAME)
        check_type(entry.type)
        check_queue(entry.queue)
        check_priority(entry.priority)
        for span in (entry.expires_in, entry.track, entry.missed_window):
            if span is not None:
                check_expires_in(span)
        if entry.unique:
            partition_index(entry.unique, 1)
    except ValueError:  # BadName and BadOptions among them
        return False
    return 0 <= entry.unique_ms < 1 << 53


def _arguments(
    args: Any, kwargs: Any, signature: Signature, mistakes: list[str]
) -> tuple[list[Any], dict[str, Any]]:
    if not isinstance(args, list | tuple) or not isinstance(kwargs, Mapping):
        mistakes.append(f"args must be a list and kwargs a table, not {args!r:.80} and {kwargs!r:.80}.")
        return [], {}
    try:
        checked = signature.for_push(args, kwargs)
    except BadArguments as error:
        mistakes.append(str(error))
        return [], {}
    return list(checked[0]), dict(checked[1])


def _unique(entry: CronEntry, options: Options, mistakes: list[str]) -> CronEntry:
    try:
        found = digest(entry.queue, entry.type, options, entry.args, entry.kwargs)
    except BadOptions as error:
        mistakes.append(str(error))
        return entry
    lasts_ms = int((options.unique_for or 0) * 1000)
    until_start = options.unique_until == "start"
    return msgspec.structs.replace(entry, unique=found, unique_ms=lasts_ms, until_start=until_start)


def _one_of(name: str, words: Iterable[str]) -> Callable[[Any], str]:
    def rule(value: Any) -> str:
        if value not in words:
            raise BadOptions(f"{name} must be one of {', '.join(words)}, not {value!r}.")
        return str(value)

    return rule


def _window(value: Any) -> float:
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds <= MAX_WINDOW_S:
        raise BadOptions(f"missed_window must be seconds, at most a year of them, not {value!r}.")
    return float(seconds)
