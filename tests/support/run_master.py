"""A master of its own process, with a tiny cast: `python -m support.run_master CONFIG_JSON TIMING_JSON`.

Its roles and workers are support.tiny_role and support.tiny_worker; template, health role, forks and
signals are real.
"""

import dataclasses
import sys

import msgspec

from gangerd.config import Config
from gangerd.master import loop
from gangerd.master.cast import HEALTH, TEMPLATE, Cast, cast_for
from gangerd.master.tree import Timing


def tiny_cast(config: Config) -> Cast:
    real = cast_for(config)
    tiny = (
        spec if spec.name in (TEMPLATE, HEALTH) else dataclasses.replace(spec, module="support.tiny_role")
        for spec in real.roles
    )
    return dataclasses.replace(real, roles=tuple(tiny), worker_module="support.tiny_worker")


if __name__ == "__main__":
    config = msgspec.json.decode(sys.argv[1], type=Config)
    timing = msgspec.json.decode(sys.argv[2], type=Timing)
    sys.exit(loop.run(config, tiny_cast(config), timing))
