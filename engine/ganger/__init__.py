"""ganger: background jobs on Redis Cluster. What an application imports.

    from ganger import job, Client, current

The engine knows Redis and nothing of processes; the daemon that runs the jobs is the package gangerd.
"""

from ganger.actor import Actor, job
from ganger.async_client import AsyncClient
from ganger.batch import Batch
from ganger.client import Client
from ganger.cron.entry import Cron
from ganger.current import current
from ganger.errors import (
    BatchClosed,
    BatchNotFound,
    GangerError,
    JobTimeout,
    LimitMismatch,
    NoPermit,
    NotUnique,
    OutcomeUnknown,
    PermitLost,
    PushRefused,
    QuorumLost,
    RateExceeded,
    StillPending,
)
from ganger.hooks import on_worker_start, on_worker_stop
from ganger.middleware import Attempt, Outgoing, perform_middleware, push_middleware
from ganger.once import forget_once, once
from ganger.propagation import propagate
from ganger.sealing import encrypt_arguments
from ganger.throttle.block import semaphore
from ganger.throttle.rate import rate_limit

__all__ = [
    "Actor",
    "AsyncClient",
    "Attempt",
    "Batch",
    "BatchClosed",
    "BatchNotFound",
    "Client",
    "Cron",
    "GangerError",
    "JobTimeout",
    "LimitMismatch",
    "NoPermit",
    "NotUnique",
    "OutcomeUnknown",
    "Outgoing",
    "PermitLost",
    "PushRefused",
    "QuorumLost",
    "RateExceeded",
    "StillPending",
    "current",
    "encrypt_arguments",
    "forget_once",
    "job",
    "on_worker_start",
    "on_worker_stop",
    "once",
    "perform_middleware",
    "propagate",
    "push_middleware",
    "rate_limit",
    "semaphore",
]
