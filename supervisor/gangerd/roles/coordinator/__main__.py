"""`python -m gangerd.roles.coordinator`: the process; service.py holds its duties."""

import sys
import time

from ganger.cluster import Cluster
from gangerd import log
from gangerd.recorder import HeaderWord
from gangerd.roles.coordinator.service import Coordinator
from gangerd.roles.role import Role, open_role
from gangerd.roles.starting import Handler, Starting


def serve(role: Role) -> int:
    """Until Drain or the master's end; the exit code."""

    def stamp() -> None:
        role.header[HeaderWord.COORDINATOR_AT_NS] = time.monotonic_ns()

    def begin(cluster: Cluster) -> tuple[Handler, str]:
        coordinator = Coordinator(role, cluster)
        return coordinator.handle, coordinator.begin()

    stamp()
    role.loop.sign_of_life(stamp)
    Starting(role, begin)
    try:
        return role.loop.run()
    finally:
        log.flush()


if __name__ == "__main__":
    sys.exit(serve(open_role("coordinator")))
