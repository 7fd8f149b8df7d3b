"""A master of its own process, with a tiny cast: `python -m support.run_master CONFIG_JSON TIMING_JSON`.

Its roles and workers are support.tiny_role and support.tiny_worker; template, forks and signals are real.
"""

import sys

import msgspec

from gangerd.config import Config
from gangerd.master import loop
from gangerd.master.cast import COORDINATOR, SCHEDULER, SERVERS, TEMPLATE, Cast, RoleSpec
from gangerd.master.tree import Timing

SHARED = frozenset({"recorder", "doorbell"})


def tiny_cast(config: Config) -> Cast:
    roles = (
        RoleSpec(SERVERS, "support.tiny_role", 0, brittle=True),
        RoleSpec(TEMPLATE, "gangerd.template", 0, SHARED),
        RoleSpec(SCHEDULER, "support.tiny_role", 1, SHARED | {"manifest"}),
        RoleSpec(COORDINATOR, "support.tiny_role", 1, SHARED | {"manifest"}, watched=True),
    )
    return Cast(roles if config.embedded else roles[1:], worker_module="support.tiny_worker")


if __name__ == "__main__":
    config = msgspec.json.decode(sys.argv[1], type=Config)
    timing = msgspec.json.decode(sys.argv[2], type=Timing)
    sys.exit(loop.run(config, tiny_cast(config), timing))
