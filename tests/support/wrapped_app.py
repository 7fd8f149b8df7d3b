"""The application of the system tests of middleware and of once(): everything registered, as an app would."""

import os
import signal
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from ganger import Attempt, current, encrypt_arguments, job, once, perform_middleware, propagate
from support.incident_app import QUEUE, RETRY_AFTER_S
from support.journal import note, noted

request_id: ContextVar[str] = ContextVar("request_id")


KEYS = "test:" + "A" * 43 + "="


def register() -> None:
    """Called by the worker's import; a test that imports the jobs to push them registers nothing."""
    encrypt_arguments(keys=lambda: KEYS)
    propagate(request_id, "request_id")

    @perform_middleware
    def watch(job: Attempt, proceed: Callable[[], Any]) -> None:
        note("before", name=job.type, request=request_id.get(None))
        try:
            proceed()
        finally:
            note("after", name=job.type)


@job(queue=QUEUE, retry=2, backoff=RETRY_AFTER_S)
def charges(key: str) -> None:
    """Its first attempt is killed in the block."""
    with noted(current().jid, current().attempt, "charges"):
        with once(key, ttl=600) as step:
            if step.first:
                note("charged", number=current().attempt, interrupted=step.interrupted)
                if current().attempt == 1:
                    os.kill(os.getpid(), signal.SIGKILL)
                step.result = "receipt"
        note("result", result=step.result)


@job(queue=QUEUE, encrypt=True, retry=1, backoff=RETRY_AFTER_S, dead=True)
def pays(card: int | str) -> None:
    """Notes no more of its argument than tells that it came."""
    with noted(current().jid, current().attempt, "pays"):
        note("paid", number=int(card) % 1000)


@job(queue=QUEUE)
async def pushes(key: str) -> None:
    """A job that pushes another."""
    charges.push(key)


if "GANGER_TEST_JOURNAL" in os.environ:
    register()
