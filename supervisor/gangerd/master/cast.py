"""The cast: which processes a master runs besides its workers, as data.

The loop knows no role by name but through these lines; the dashboard or a gateway would be one line more.
"""

from dataclasses import dataclass

from gangerd.config import Config
from gangerd.master.restarts import ROLE_PACE, TEMPLATE_PACE, Pace

TEMPLATE, COORDINATOR, SCHEDULER, SERVERS = "template", "coordinator", "scheduler", "servers"
HEALTH = "health"


@dataclass(frozen=True, slots=True)
class RoleSpec:
    """A role: the module it is, the roles that must have served before it may start, and the descriptors it
    is given beside channel and config.

    `watched`: it stamps its loop into the recorder's header and is replaced when the stamp grows old.
    `start_s` is its time from exec to being ready, `leave_s` from Drain to its exit; a role that needs the
    manifest gets its time to start from when there is one. `brittle`: killed while it starts it would leave
    something half made, so an end waits until it serves."""

    name: str
    module: str
    after: frozenset[str] = frozenset()
    needs: frozenset[str] = frozenset()
    watched: bool = False
    start_s: float = 30.0
    leave_s: float = 10.0
    pace: Pace = ROLE_PACE
    brittle: bool = False


@dataclass(frozen=True, slots=True)
class Cast:
    """All roles in the order in which they come (they leave in the reverse of it), and the module whose
    `main(birth)` a worker is."""

    roles: tuple[RoleSpec, ...]
    worker_module: str = "gangerd.worker.loop"
    workers_after: frozenset[str] = frozenset({SERVERS, TEMPLATE})


_SHARED = frozenset({"recorder", "doorbell"})
_WITH_TYPES = _SHARED | {"manifest"}


def cast_for(config: Config) -> Cast:
    """Template and coordinator start side by side, for only workers wait for the app's import; the scheduler,
    in whose absence nothing is urgent, does not compete with them for the processor. An embedded server goes
    before all that speak to it."""
    redis = frozenset({SERVERS}) if config.embedded else frozenset()
    # First to come and last to leave: whoever asks is told that it starts, and that it ends.
    health = (RoleSpec(HEALTH, "gangerd.roles.health", needs=frozenset({"recorder"})),)
    roles = (
        *(health if config.health else ()),
        RoleSpec(TEMPLATE, "gangerd.template", needs=_SHARED, start_s=60.0, pace=TEMPLATE_PACE),
        RoleSpec(SCHEDULER, "gangerd.roles.scheduler", redis | {COORDINATOR}, _WITH_TYPES, start_s=60.0),
        # The last to come and the first to leave: it settles what is left.
        RoleSpec(COORDINATOR, "gangerd.roles.coordinator", redis, _WITH_TYPES, watched=True),
    )
    if not config.embedded:
        return Cast(roles, workers_after=frozenset({TEMPLATE}))
    servers = RoleSpec(SERVERS, "gangerd.roles.servers", start_s=60.0, leave_s=20.0, brittle=True)
    return Cast((servers, *roles))
