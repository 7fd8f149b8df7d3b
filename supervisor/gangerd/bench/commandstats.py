"""What the servers of a stage say they spent on each command since their start (INFO commandstats)."""

import re
from dataclasses import dataclass

from gangerd.bench.stage import Stage

_LINE = re.compile(rb"cmdstat_(\S+?):calls=(\d+),usec=(\d+)")


@dataclass(frozen=True, slots=True)
class Spent:
    calls: int
    us: int


def spent(stage: Stage) -> dict[str, Spent]:
    """By command, of all servers together. What a script calls counts under its own name, and its time in the
    script's as well."""
    found: dict[str, Spent] = {}
    for node in stage.cluster.nodes():
        for name, calls, us in _LINE.findall(stage.cluster.run_on(node, ("INFO", "commandstats"))):
            before = found.get(name.decode(), Spent(0, 0))
            found[name.decode()] = Spent(before.calls + int(calls), before.us + int(us))
    return found
