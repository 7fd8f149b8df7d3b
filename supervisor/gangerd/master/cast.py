"""The cast: which processes a master runs besides its workers, as data.

The loop knows no role by name but through these lines; the dashboard or a gateway would be one line more.
"""

from dataclasses import dataclass

from gangerd.config import Config
from gangerd.master.restarts import ROLE_PACE, TEMPLATE_PACE, Pace

TEMPLATE, COORDINATOR, SCHEDULER, SERVERS = "template", "coordinator", "scheduler", "servers"


@dataclass(frozen=True, slots=True)
class RoleSpec:
    """A role: the module it is, its order (started from low to high, closed from high to low, each order
    only after the one below serves), and the descriptors it is given beside channel and config.

    `watched`: it stamps its loop into the recorder's header and is replaced when the stamp grows old.
    `start_s` is its time from exec to being ready, `leave_s` from Drain to its exit. `brittle`: killed while
    it starts it would leave something half made, so an end waits until it serves."""

    name: str
    module: str
    order: int
    needs: frozenset[str] = frozenset()
    watched: bool = False
    start_s: float = 30.0
    leave_s: float = 10.0
    pace: Pace = ROLE_PACE
    brittle: bool = False


@dataclass(frozen=True, slots=True)
class Cast:
    """All roles, and the module whose `main(birth)` a worker is."""

    roles: tuple[RoleSpec, ...]
    worker_module: str = "gangerd.worker.loop"


_SHARED = frozenset({"recorder", "doorbell"})
_WITH_TYPES = _SHARED | {"manifest"}


def cast_for(config: Config) -> Cast:
    roles = [
        # Imports the app while the servers start; a worker waits for both.
        RoleSpec(TEMPLATE, "gangerd.template", 0, _SHARED, start_s=60.0, pace=TEMPLATE_PACE),
        # Closed before the scheduler: it is what is listed later that leaves first.
        RoleSpec(SCHEDULER, "gangerd.roles.scheduler", 1, _WITH_TYPES, start_s=60.0),
        RoleSpec(COORDINATOR, "gangerd.roles.coordinator", 1, _WITH_TYPES, watched=True),
    ]
    if config.embedded:
        servers = RoleSpec(SERVERS, "gangerd.roles.servers", 0, start_s=60.0, leave_s=20.0, brittle=True)
        roles.insert(0, servers)
    return Cast(tuple(roles))
