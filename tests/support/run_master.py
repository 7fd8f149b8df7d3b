"""A master of its own process, with a tiny cast: `python -m support.run_master CONFIG_JSON TIMING_JSON`.

Its roles and workers are support.tiny_role and support.tiny_worker; template, health role, forks and
signals are real.
"""

import dataclasses
import json
import sys
from pathlib import Path

import msgspec

from gangerd.config import Config
from gangerd.errors import BadConfig
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


def reread(config: Config) -> Config:
    """The settings of its start, with what `settings.json` in its directory says now."""
    path = Path(config.dir) / "settings.json"
    if not path.exists():
        return config
    try:
        return msgspec.structs.replace(config, **json.loads(path.read_text()))
    except ValueError as error:
        raise BadConfig([f"settings.json: {error}"]) from error


if __name__ == "__main__":
    config = msgspec.json.decode(sys.argv[1], type=Config)
    timing = msgspec.json.decode(sys.argv[2], type=Timing)
    sys.exit(loop.run(config, tiny_cast(config), timing, lambda: reread(config)))
