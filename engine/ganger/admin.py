"""Administering: everything that `ganger ...` shows and does, for a dashboard or a script, as plain Python.

    with Admin.discover() as admin:
        for job in admin.dead(JobFilter(queue="mail", cause="segfault"), limit=20): ...
        print(*(reason.text for reason in admin.why(jid)))

It delegates: inspect.py, following.py, why.py, pausing.py, clearing.py, letters.py and replaying/ do the
work, and views.py says what comes back. The command line uses the same methods. Each raises GangerError, with
a sentence for people. An Admin may be used by several threads.
"""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Self

from ganger import batch_status, clearing, following, inspect, letters, pausing
from ganger import unserved as announcing
from ganger import why as asking
from ganger.batch_status import BatchStatus
from ganger.cluster import Cluster
from ganger.config import EngineConfig
from ganger.cron import admin as cron
from ganger.errors import BadName, BatchNotFound, GangerError, JobNotFound
from ganger.keys import BatchKeys, Control
from ganger.letters import DeadLetters
from ganger.lifecycle import JobState
from ganger.listing import ANY, JobFilter, Missed
from ganger.operations import batch as batch_operations
from ganger.operations import control as catalog
from ganger.operations import pause, schedule
from ganger.operations.cancel import Cancel
from ganger.operations.kept import Kept
from ganger.operations.pause import Wish
from ganger.replaying.past import Past
from ganger.unserved import Unserved
from ganger.views import (
    Crash,
    CronEvent,
    CronRun,
    CronState,
    Host,
    Job,
    Queue,
    Totals,
    Worker,
)
from ganger.why import Reason


class Admin(DeadLetters):
    def __init__(self, cluster: Cluster, control: Control) -> None:
        super().__init__(cluster, control)
        self.past = Past(cluster, control)
        """What queues keep of their ended jobs, and the runs over it: rewind, replay, skip, undo."""

    @classmethod
    def discover(cls, config: EngineConfig | None = None) -> Self:
        """With settings found as a Client finds its own."""
        config = EngineConfig.discover() if config is None else config
        return cls(Cluster(config.redis), Control(config.namespace))

    def close(self) -> None:
        self._cluster.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- the whole ---------------------------------------------------------------------------------------

    def queues(self) -> list[Queue]:
        """Every queue that was ever pushed to, by name."""
        found = inspect.queues(self._cluster, self._control)
        return [Queue.of({"name": name, **row}) for name, row in found.items()]

    def queue(self, name: str) -> Queue:
        """One of them. Raises BadName."""
        found = {queue.name: queue for queue in self.queues()}
        if name not in found:
            raise BadName(f"There is no queue {name!r}; there are: {', '.join(found) or 'none'}.")
        return found[name]

    def workers(self) -> list[Worker]:
        """Every worker of every live host."""
        return [Worker.of(row) for row in inspect.workers(self._cluster, self._control)]

    def hosts(self) -> list[Host]:
        """The live hosts, each with its workers."""
        found = []
        for host in announcing.live_hosts(self._cluster, self._control):
            workers = [Worker.of({"host": "", **row}) for row in host.status.get("workers", [])]
            about = {"incarnation": host.incarnation, "at_ms": host.at_ms, "workers": workers}
            found.append(Host.of({"host": "", **host.status, **about}))
        return found

    def leader(self) -> str | None:
        """The incarnation of the host whose scheduler does the duties of the whole cluster."""
        return catalog.leader(self._cluster, self._control)

    def totals(self) -> Totals:
        """What was counted over all queues since ever."""
        found = inspect.totals(self._cluster, self._control)
        return Totals(crashes=found.pop("crashes"), counters=found)

    def crashes(self, limit: int = 100) -> list[Crash]:
        """Post-mortems, newest first."""
        return [Crash.of(row) for row in inspect.crashes(self._cluster, self._control, limit)]

    def unserved(self) -> list[Unserved]:
        """Types that wait while no live worker knows them, as a sample sees it (unserved.py says how)."""
        groups = inspect.all_partitions(self._cluster, self._control)
        return announcing.unserved(self._cluster, self._control, groups)

    # ---- one job -----------------------------------------------------------------------------------------

    def find(self, jid: str) -> Job:
        """The job, wherever it is. Raises JobNotFound."""
        return Job.of(inspect.job(self._cluster, self._control, jid))

    def why(self, jid: str) -> list[Reason]:
        """Why it is not running, the most telling reason first; at least one."""
        return asking.why(self._cluster, self._control, jid)[1]

    def retry(self, jid: str) -> JobState:
        """Run it now: a scheduled or retrying job before its time, a dead letter again; answers what it was.
        Raises JobNotFound when it is neither."""
        seen = inspect.locate(self._cluster, self._control, jid)
        if seen.state in (JobState.SCHEDULED, JobState.RETRYING):
            done = schedule.hasten(self._cluster, seen.partition, [jid], due_ms=seen.due_at_ms)
        elif seen.state == JobState.DEAD:
            done = letters.send_back(
                self._cluster, [Kept(seen.partition, jid, seen.dead_at_ms or 0, seen.record)]
            )
        else:
            raise JobNotFound(f"Job {jid} is {seen.state}: it is neither scheduled, retrying nor dead.")
        if not done:
            raise JobNotFound(f"Job {jid} has just gone from where it was {seen.state}: look again.")
        return seen.state

    def cancel(self, jid: str) -> Cancel:
        """End a job, waiting or running: CANCELLED when it is gone, ASKED when its host is about to end it.
        Raises JobEnded, JobNotFound."""
        return following.cancel(self._cluster, self._control, jid)

    def result(self, jid: str, wait: float | None = 0.0) -> Any:
        """What a tracked job returned. Raises JobFailed, StillRunning, NoResult."""
        return following.result(self._cluster, self._control, jid, wait)

    def delete(self, jid: str) -> JobState:
        """Remove it for ever, a dead letter or one that waits (which is then counted as cancelled); answers
        what it was. Raises JobNotFound for one at work: that is to be cancelled."""
        seen = inspect.locate(self._cluster, self._control, jid)
        if seen.state in (JobState.WORKING, JobState.DONE):
            hint = "cancel it" if seen.state == JobState.WORKING else "it is not in the way"
            raise JobNotFound(f"Job {jid} is {seen.state}: {hint}.")
        if seen.state == JobState.DEAD:
            self.delete_letters([jid])
        else:
            following.cancel(self._cluster, self._control, jid)
        return seen.state

    # ---- jobs that wait for their time -------------------------------------------------------------------

    def scheduled(
        self,
        wanted: JobFilter = ANY,
        limit: int = 100,
        *,
        heads: bool = False,
        missed: Missed | None = None,
    ) -> Iterator[Job]:
        """What is scheduled or retrying and due next, a few in memory at a time; with `heads` without their
        arguments. `failed` in the filter chooses between the two; `missed` is as of `dead`."""
        found = inspect.later(self._cluster, self._control, wanted, limit, heads=heads, missed=missed)
        return (Job.of(document) for document in found)

    # ---- queues ------------------------------------------------------------------------------------------

    def pause_queue(self, name: str, note: str = "") -> pausing.Spread:
        """No claim that starts after this returns takes a job of the queue. Raises BadName."""
        return pausing.pause_queue(self._cluster, self._control, name, note)

    def resume_queue(self, name: str) -> pausing.Spread:
        return pausing.resume_queue(self._cluster, self._control, name)

    def pause_type(self, name: str, note: str = "") -> pausing.Spread:
        """The same for a job type, whatever queue its jobs are in."""
        return pausing.pause_type(self._cluster, self._control, name, note)

    def resume_type(self, name: str) -> pausing.Spread:
        return pausing.resume_type(self._cluster, self._control, name)

    def paused_types(self) -> dict[str, Wish]:
        """The job types that are paused, each since when and why."""
        return dict(pause.wishes(self._cluster, self._control).types)

    def clear_queue(self, name: str, *, scheduled: bool = False) -> clearing.Cleared:
        """Remove what waits in it now, `scheduled`: also what is due later. Raises BadName."""
        found = clearing.survey(self._cluster, self._control, name)
        return clearing.clear(self._cluster, found, scheduled=scheduled)

    # ---- batches ----------------------------------------------------------------------------------------

    def batches(self, limit: int = 100, *, missed: dict[str, GangerError] | None = None) -> list[BatchStatus]:
        """Those under way, the newest first, then those that were over in the last day. With a dict as
        `missed` the bids of those out of reach are told there."""
        return batch_status.recent(self._cluster, self._control, limit, missed)

    def batch(self, bid: str) -> BatchStatus:
        """One of them. Raises BatchNotFound, BadName."""
        return batch_status.status(self._cluster, self._batch(bid))

    def commit_batch(self, bid: str) -> None:
        """Let its callbacks fire, in place of a producer that didn't. Raises BatchNotFound."""
        batch_operations.commit(self._cluster, self._batch(bid))

    def delete_batch(self, bid: str) -> None:
        """Forget it: members run on, nothing fires any more. For the batch around it, it has failed: that is
        told first, and telling it twice does no harm. Raises BatchNotFound."""
        keys = self._batch(bid)
        head = batch_operations.parse_head(self._cluster.run(batch_operations.head_command(keys)), keys)
        parent, _, number = head.get("parent", "").partition(":")
        if parent:
            around = self._batch(parent)
            mark = batch_operations.mark_command(around, [(number, f"failed {bid}")])
            with suppress(BatchNotFound):
                batch_operations.parse_owes(self._cluster.run(mark), around)
        batch_operations.delete(self._cluster, keys)

    def _batch(self, bid: str) -> BatchKeys:
        return BatchKeys(self._control.namespace, bid)

    # ---- cron --------------------------------------------------------------------------------------------

    def crons(self) -> list[CronState]:
        """The entries that live hosts announce, by name."""
        rows = cron.entries(self._cluster, self._control)
        return [CronState.of(row | {"last": row["last"] and CronRun.of(row["last"])}) for row in rows]

    def cron_history(self, name: str) -> list[CronEvent]:
        """Its last fifty events, newest first. Raises CronNotFound."""
        return [CronEvent.of(row) for row in cron.history(self._cluster, self._control, name)]

    def pause_cron(self, name: str) -> bool:
        """No tick fires after this returns; False: it was paused before. Raises CronNotFound."""
        return cron.pause(self._cluster, self._control, name)

    def resume_cron(self, name: str) -> bool:
        """Ticks count again, from now on; False: it was not paused. Raises CronNotFound."""
        return cron.resume(self._cluster, self._control, name)

    def run_cron(self, name: str) -> str:
        """Its job, now; the jid. Raises CronNotFound, CronStillRuns."""
        return cron.run(self._cluster, self._control, name)
