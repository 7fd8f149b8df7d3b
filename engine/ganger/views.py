"""What `Admin` answers with: plain dataclasses, one per thing that people look at. Pure.

Each is read from a document of inspect.py and written back as one for JSON, under the same names. A field
that this version does not name (a newer host's heartbeat may have more) is kept in `more`.
"""

from dataclasses import dataclass, field, fields
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class View:
    more: dict[str, Any] = field(default_factory=dict, kw_only=True, repr=False)

    @classmethod
    def of(cls, document: dict[str, Any]) -> Self:
        names = {one.name for one in fields(cls)} - {"more"}
        known = {name: value for name, value in document.items() if name in names}
        return cls(**known, more={name: value for name, value in document.items() if name not in names})

    def document(self) -> dict[str, Any]:
        """Ready for JSON."""
        named = {one.name: _plain(getattr(self, one.name)) for one in fields(self) if one.name != "more"}
        return named | self.more


def _plain(value: Any) -> Any:
    if isinstance(value, View):
        return value.document()
    return [_plain(one) for one in value] if isinstance(value, list) else value


@dataclass(frozen=True, slots=True)
class Queue(View):
    """Counts over its partitions; `unreachable` of them are not in the sums."""

    name: str
    ready: int = 0
    in_flight: int = 0
    later: int = 0
    dead: int = 0
    parked: int = 0
    oldest_age_ms: int = 0
    next_due_in_ms: int | None = None
    paused: bool = False
    paused_since_ms: int | None = None
    paused_note: str | None = None
    paused_partitions: int = 0
    partitions: int = 0
    unreachable: int = 0
    counters: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Worker(View):
    """As its host last told. `jid`, `type`, `queue`, `attempt`: the job that it runs, None for none."""

    host: str
    slot: int
    state: str
    pid: int | None = None
    generation: int | None = None
    jid: str | None = None
    type: str | None = None
    queue: str | None = None
    attempt: int | None = None
    since_ms: int | None = None
    """The instant since which it is in this state, or runs this job."""
    rss_bytes: int | None = None
    worker: str | None = None


@dataclass(frozen=True, slots=True)
class Host(View):
    """A live master, at its last heartbeat."""

    incarnation: str
    host: str
    at_ms: int
    app: str = ""
    slots: int = 0
    queues: list[str] = field(default_factory=list)
    workers: list[Worker] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Crash(View):
    """A post-mortem."""

    jid: str | None = None
    type: str | None = None
    queue: str | None = None
    attempt: int | None = None
    cause: str = ""
    signal: int | None = None
    exit_code: int | None = None
    worker: str | None = None
    pid: int | None = None
    host: str | None = None
    generation: int | None = None
    at_ms: int | None = None
    ran_ms: int | None = None
    peak_rss_bytes: int | None = None
    stack: str | None = None
    evidence: Any = None


@dataclass(frozen=True, slots=True)
class Job(View):
    """Of a listing's head, `args` and what else was pushed are None. `attempt` is the one under way or next,
    of a dead letter its last one."""

    jid: str
    type: str
    queue: str
    state: str
    partition: int = 0
    priority: int = 5
    attempt: int = 1
    crashes: int = 0
    lost: int = 0
    released: int = 0
    failures: list[dict[str, Any]] = field(default_factory=list)
    args: list[Any] | None = None
    kwargs: dict[str, Any] | None = None
    overrides: dict[str, Any] | None = None
    pushed_at_ms: int | None = None
    expires_at_ms: int | None = None
    due_at_ms: int | None = None
    dead_at_ms: int | None = None
    consumer: str | None = None
    batch: str | None = None
    """<batch>:<number> of a member, <batch>:complete and so on of a callback."""
    tracked: bool = False
    progress: dict[str, Any] | None = None
    """{percent, message, at_ms}."""
    checkpoint_bytes: int | None = None
    ended_at_ms: int | None = None
    how: str | None = None
    """How it is done: succeeded, exhausted, cancelled..."""
    ran_ms: int | None = None
    peak_rss_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class DeadLetter(Job):
    """With the post-mortems of the workers that it killed."""

    crash_records: list[Crash] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Totals(View):
    """Counters over all queues since ever are in `counters`; deaths of workers by cause."""

    counters: dict[str, int] = field(default_factory=dict)
    crashes: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CronRun(View):
    """The last job that came of an entry: by the clock, or run by hand. `state` is `ended` once it is
    over."""

    jid: str
    tick_at_ms: int
    at_ms: int
    state: str


@dataclass(frozen=True, slots=True)
class CronState(View):
    """A cron entry. Instants by the clock of the node that keeps it; `paused_at_ms` is None while it is not
    paused."""

    name: str
    type: str
    cron: str
    tz: str
    queue: str
    next_at_ms: int | None = None
    paused_at_ms: int | None = None
    fired: int = 0
    skipped: int = 0
    missed_ticks: int = 0
    last: CronRun | None = None
    unreachable: bool = False


@dataclass(frozen=True, slots=True)
class CronEvent(View):
    """One line of an entry's history: fired, run, skipped, missed, paused or resumed."""

    event: str
    tick_at_ms: int
    at_ms: int
    jid: str | None = None
    """The job; of skipped the one that went on."""
    count: int | None = None
    """Of missed: how many ticks."""
