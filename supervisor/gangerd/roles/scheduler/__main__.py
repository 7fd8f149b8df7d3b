"""`python -m gangerd.roles.scheduler`: the process; service.py holds its duties."""

import sys

from ganger.cluster import Cluster
from gangerd import log
from gangerd.roles.role import Role, open_role
from gangerd.roles.scheduler.service import Scheduler
from gangerd.roles.starting import Handler, Starting


def serve(role: Role) -> int:
    """Until Drain or the master's end; the exit code."""

    def begin(cluster: Cluster) -> tuple[Handler, str]:
        scheduler = Scheduler(role, cluster)
        return scheduler.handle, scheduler.begin()

    Starting(role, begin, needs_manifest=False)
    try:
        return role.loop.run()
    finally:
        log.flush()


if __name__ == "__main__":
    sys.exit(serve(open_role("scheduler")))
