"""What a reload may change: settings come in, sentences about what needs a restart instead come out.

Pure. Whatever a running worker, a page or a lease already rests on stays as it is for the master's life.
Called by reloading.py.
"""

from gangerd.config import Config

FIXED = {
    "redis": "redis",
    "semaphores": "semaphores",
    "namespace": "namespace",
    "embedded": "embedded",
    "dir": "dir",
    "run_at": "run_dir",
    "health": "health",
    "host": "host",
    "lease_ms": "lease_ms",
    "renew_ms": "renew_ms",
}
"""Field -> the setting's name."""


def refused(old: Config, new: Config, seats: int) -> list[str]:
    """A sentence for each change that this master can't follow; `seats` is how many workers it has room
    for, the spare one included."""
    found = [
        f"{setting} is another one now: a reload can't change it, restart the service instead"
        for field, setting in FIXED.items()
        if getattr(old, field) != getattr(new, field)
    ]
    if new.workers > seats - 1:
        found.append(
            f"workers = {new.workers} is more than this master has room for ({seats - 1}):"
            " restart the service instead"
        )
    dropped = sorted(old.queues.keys() - new.queues.keys()) if new.queues else []
    if dropped:
        found.append(
            f"queues: {', '.join(dropped)} would not be served any more, which takes a restart of the service"
        )
    return found
