"""An application for hosts with a clock of their own: honest jobs, the entry of cron_app, and a job that is a
producer with that clock."""

from ganger import current, job
from support import cron_app as cron_app
from support import incident_app
from support.journal import noted


@job(queue=incident_app.QUEUE, expires_in=600)
def soon() -> None:
    """Write into the journal, unless ten minutes are over."""
    with noted(current().jid, current().attempt, current().type):
        pass


@job(queue=incident_app.QUEUE, track=True)
def passes_on() -> list[str]:
    """Push by the clock of the host: what may begin now, and what may later. Their jids."""
    with noted(current().jid, current().attempt, current().type):
        return [soon.push(), soon.options(delay=1).push()]
