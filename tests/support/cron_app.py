"""An application whose one job comes by the clock: each 29 February, so never by itself during a test."""

from ganger import Cron, current, job
from support.journal import noted

QUEUE = "crons"


@job(queue=QUEUE, cron=Cron("0 0 29 2 *", tz="Europe/Berlin", name="leap", args=["by the clock"]))
def leaps(how: str) -> None:
    """Write into the journal."""
    with noted(current().jid, current().attempt, how):
        pass
