"""An application whose jobs belong to a batch: honest members, one that adds more, one that kills."""

import ctypes
from pathlib import Path

from ganger import Batch, current, job
from support.journal import note, noted

QUEUE = "batched"


@job(queue=QUEUE)
def works(number: int) -> None:
    with noted(current().jid, current().attempt, current().type):
        note("member", number=number)


@job(queue=QUEUE)
def adds(count: int) -> None:
    """More members of the batch that this one is in."""
    with noted(current().jid, current().attempt, current().type):
        Batch.current().push_many(works, [(1000 + number,) for number in range(count)])


@job(queue=QUEUE, retry=0)
def segfaults_without(file: str) -> None:
    """Kill the worker until the file is there."""
    with noted(current().jid, current().attempt, current().type):
        if not Path(file).exists():
            ctypes.string_at(0)


@job(queue=QUEUE, priority=9)
def tells(what: str) -> None:
    """A callback."""
    note("callback", told=what, batch=current().batch_id)
