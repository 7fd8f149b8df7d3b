"""ganger: background jobs on Redis Cluster. What an application imports.

    from ganger import job, Client, current

The engine knows Redis and nothing of processes; the daemon that runs the jobs is the package gangerd.
"""

from ganger.actor import Actor, job
from ganger.client import Client
from ganger.current import current
from ganger.errors import GangerError, JobTimeout, OutcomeUnknown
from ganger.hooks import on_worker_start, on_worker_stop

__all__ = [
    "Actor",
    "Client",
    "GangerError",
    "JobTimeout",
    "OutcomeUnknown",
    "current",
    "job",
    "on_worker_start",
    "on_worker_stop",
]
