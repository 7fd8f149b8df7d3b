"""All that a master knows, in one place: the tree of its processes and what belongs to each.

Plain state, built once by `plant`. births.py, actions.py and mail.py change it, lifecycle.py says how,
loop.py calls them; report.py shows it.
"""

import secrets
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from gangerd import log
from gangerd.config import Config
from gangerd.linux import doorbell
from gangerd.linux.container import Container
from gangerd.linux.notify import Notifier
from gangerd.linux.reaping import Reaped
from gangerd.master import manifest, seats
from gangerd.master.burial import Undertaker
from gangerd.master.cast import Cast, RoleSpec
from gangerd.master.children import Child, Children
from gangerd.master.deaths import Deaths
from gangerd.master.endings import Endings
from gangerd.master.fence import Fence
from gangerd.master.generations import Generations
from gangerd.master.incoming import Incoming, Outcome
from gangerd.master.inheritance import inherit
from gangerd.master.leftovers import Leftovers
from gangerd.master.lifecycle import ChildState, System
from gangerd.master.mailbox import Mailbox
from gangerd.master.memory_watch import MemoryWatch
from gangerd.master.restarts import Restarts
from gangerd.master.status_file import StatusFile
from gangerd.master.watch import Watch


@dataclass(frozen=True, slots=True)
class Timing:
    """The master's own bounds; shutdown_timeout_s is the operator's (Config)."""

    tick_ms: int = 100
    idle_tick_ms: int = 500
    """While no worker runs a job and nobody is being born or ended: only the coordinator's pulse is due."""
    birth_s: float = 10.0
    """From asking the template to a worker's READY."""
    import_s: float = 60.0
    """The app's import, wherever it happens: in the template, or in each worker without preload."""
    stale_s: float = 5.0
    """A coordinator that has not stamped for so long is replaced."""
    settle_wait_s: float = 5.0
    """How long a drain waits for the last deaths to be settled."""
    doomed_s: float = 5.0
    """A process that outlives SIGKILL by this is reported as stuck."""
    hung_s: float = 120.0
    """How long a worker outside any job may show no sign of life; a healthy one does every few seconds."""
    away_s: float = 2.0
    """A longer gap between two ticks means that we were not running."""
    canary_idle_s: float = 0.5
    """How long a new generation's first worker must have been well when it finds no work."""
    canary_s: float = 10.0
    """From its READY until it must have been able to claim."""
    patience_s: float = 30.0
    """How long a reload waits for jobs under way, before it counts as done without them."""
    first_tries: int = 5
    """Deaths at birth, before anything ever served, until the start counts as failed."""


@dataclass(slots=True)
class Tree:
    config: Config
    cast: Cast
    timing: Timing
    incarnation: str
    recorder: seats.Recorder
    fds: dict[str, int]
    """Shared descriptors by name: config, recorder, doorbell, manifest (empty until a template sends one)."""
    endings: Endings
    memory: MemoryWatch
    fence: Fence
    undertaker: Undertaker
    deaths: Deaths
    restarts: Restarts
    watch: Watch
    status_file: StatusFile
    children: Children = field(default_factory=Children)
    leftovers: Leftovers = field(default_factory=Leftovers)
    generations: Generations = field(default_factory=Generations)
    reread: Callable[[], Config] | None = None
    """The settings as they are written now; raises GangerdError or OSError. None: nobody can say."""
    edition: str = ""
    """Of the ganger that runs, as the first template told it."""
    incoming: Incoming | None = None
    """The generation that a reload is bringing in, until its canary has passed."""
    outcome: Outcome = field(default_factory=Outcome)
    mail: dict[str, Mailbox] = field(default_factory=dict)
    """By the child's incarnation."""
    strays: deque[Reaped] = field(default_factory=lambda: deque(maxlen=64))
    """The newest dead we did not know: a worker may die before the template has told its pid."""
    newborn_mail: list[Child] = field(default_factory=list)
    """Children whose channel the loop does not listen to yet."""
    system: System = System.STARTING
    wanted: int = 0
    quiet: bool = False
    exit_code: int = 0
    served: set[str] = field(default_factory=set)
    """Roles (and `worker`) that have served at least once."""
    failed_births: dict[str, int] = field(default_factory=dict)
    last_error: dict[str, str] = field(default_factory=dict)
    notifier: Notifier = field(default_factory=Notifier)
    drain_until_ns: int | None = None
    no_workers_since_ns: int | None = None
    kill_sent_ns: int | None = None
    status_shown: tuple[object, ...] = ()
    status_written_ns: int = 0
    dumps_due_ns: int | None = None

    def spec(self, role: str) -> RoleSpec:
        return next(spec for spec in self.cast.roles if spec.name == role)

    def seat(self, child: Child) -> seats.Seat:
        return self.recorder.seats[child.slot]

    def outdated(self) -> list[Child]:
        """Workers of older generations that serve, by slot."""
        return [
            child
            for child in self.children.workers()
            if child.outdated_ns and child.state is ChildState.SERVING and not child.leaving
        ]

    def places(self) -> int:
        """How many workers are to serve: those wanted, and one more while old ones are being replaced."""
        return self.wanted + bool(self.outdated())

    def in_service(self) -> int:
        """Workers that have had GO; the others are being born or stand by."""
        return sum(child.served_ns > 0 for child in self.children.workers())

    def wall_ms(self) -> int:
        """The wall clock, for what people read; nothing is measured by it."""
        return time.time_ns() // 1_000_000

    def post(self, child: Child) -> Mailbox:
        return self.mail[child.incarnation]


def new_incarnation() -> str:
    """16 hex digits, never all zero (which is what an empty page says)."""
    return f"{secrets.randbits(64) or 1:016x}"


def plant(config: Config, cast: Cast, timing: Timing, now_ns: int) -> Tree:
    """The state of a master that has no child yet. Raises OSError (run directory, disk, descriptors)."""
    run_dir = config.run_dir
    run_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    incarnation = new_incarnation()
    recorder = seats.create(run_dir, incarnation, config.workers)
    deaths = Deaths(run_dir / "deaths")
    # A death that the killed master had spooled knows more than the page it left.
    deaths.load()
    inherited = inherit(run_dir, incarnation, deaths)
    if inherited:
        log.get().warning(log.PREDECESSOR_FOUND, deaths=inherited)
    endings = Endings(recorder.seats)
    fence = Fence(incarnation, config.leaf_bytes)
    container = None if fence.kind != "rss" else Container()
    memory = MemoryWatch(recorder.seats, config.memory_max_bytes, container)
    return Tree(
        config=config,
        cast=cast,
        timing=timing,
        incarnation=incarnation,
        recorder=recorder,
        fds={
            "config": config.to_fd(),
            "recorder": recorder.fd,
            "doorbell": doorbell.create(),
            "manifest": manifest.create(run_dir, recall=len(deaths) > 0),
        },
        endings=endings,
        memory=memory,
        fence=fence,
        undertaker=Undertaker(
            recorder.seats,
            consumer=incarnation,
            endings=endings,
            memory=memory,
            board=recorder.board,
            deaths=deaths,
            run_dir=run_dir,
        ),
        deaths=deaths,
        restarts=Restarts(spawns_a_second=max(20, 4 * config.workers)),
        watch=Watch(timing.stale_s, changed_ns=now_ns),
        status_file=StatusFile(config.status_file),
        wanted=config.workers,
        notifier=Notifier.from_environment(),
    )
