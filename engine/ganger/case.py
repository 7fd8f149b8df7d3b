"""A case for why.py: one job and all that bears on it, gathered in some trips. Read-only.

What can't be asked is None, and the error that says why is kept: it is an answer too.
"""

from dataclasses import dataclass, field

from ganger import jid as jids
from ganger.clock import now_ms
from ganger.cluster import Cluster
from ganger.errors import GangerError
from ganger.job import FailureRecord
from ganger.keys import Control, Partition, partitions
from ganger.label import NO_LABEL, Label, split
from ganger.lifecycle import JobState
from ganger.operations import cancel, find, lanes, look, pause, track, unique
from ganger.operations import control as catalog
from ganger.operations.find import Found
from ganger.unserved import known_types, live_hosts


@dataclass(slots=True)
class Case:
    """One job and all that bears on it, gathered once. What could not be asked is None."""

    jid: str
    now_ms: int = 0
    found: Found | None = None
    unreachable: dict[Partition, GangerError] = field(default_factory=dict)
    silent: GangerError | None = None
    """Why the control slot does not answer, if it does not."""
    hosts: list[catalog.Host] | None = None
    types: set[str] | None = None
    wishes: pause.Wishes | None = None
    leader: str | None = None
    label: Label = NO_LABEL
    holder: tuple[str, int] | None = None
    ahead: look.Ahead | None = None
    end: track.End | None = None
    """How it ended, where it is tracked and in no queue any more."""
    cancelled: bool = False
    """Its holder has been asked to end it."""

    @property
    def state(self) -> JobState | None:
        return self.found.state if self.found else None

    @property
    def waits(self) -> bool:
        """Whether it is to run, now or later."""
        return self.state in (JobState.READY, JobState.PARKED, JobState.SCHEDULED, JobState.RETRYING)

    @property
    def type(self) -> str:
        return self.found.record.type if self.found else ""

    @property
    def queue(self) -> str:
        return self.found.partition.queue if self.found else ""

    @property
    def last(self) -> FailureRecord | None:
        """Its last failure."""
        failures = self.found.record.state.failures if self.found else []
        return failures[-1] if failures else None


def gather(cluster: Cluster, control: Control, jid: str) -> Case:
    """Everything that the checks look at."""
    case = Case(jid)
    try:
        counts = catalog.queues(cluster, control, deadline_s=3.0)
        hosts = live_hosts(cluster, control)
        case.hosts, case.types = hosts, known_types(cluster, control)
        case.wishes, case.leader = pause.wishes(cluster, control), catalog.leader(cluster, control)
    except GangerError as error:
        case.silent = error
        return case
    case.now_ms = max((host.at_ms for host in hosts), default=now_ms())
    index = jids.partition_of(jid)
    for queue, count in counts.items():
        # Fifteen bits name the queue, so another may answer to them too: look in each.
        if jids.digest(queue) != jids.queue_digest_of(jid) or index >= count:
            continue
        partition = partitions(control.namespace, queue, count)[index]
        try:
            case.found = find.find(cluster, partition, jid, deadline_s=3.0)
            if case.found is not None:
                _around(cluster, case, case.found)
                break
            case.end = track.read(cluster, partition, jid).end or case.end
        except GangerError as error:
            case.unreachable[partition] = error
    return case


def _around(cluster: Cluster, case: Case, found: Found) -> None:
    """What its partition says beside it. Raises GangerError."""
    partition = found.partition
    seen = look.parse_look(cluster.run(look.look_command(partition), deadline_s=3.0), partition)
    case.now_ms = seen.now_ms or case.now_ms
    try:
        case.label = split(found.record.body)[0]
    except ValueError:
        case.label = NO_LABEL
    if case.label.unique is not None:
        case.holder = unique.holder(cluster, partition, case.label.unique, deadline_s=3.0)
    if found.state == JobState.WORKING and found.id is not None:
        case.cancelled = cancel.is_asked(cluster, partition, found.id, deadline_s=3.0)
    if found.place is not None and found.id is not None:
        before = cluster.run(lanes.ahead_command(partition, found.place, found.id), deadline_s=3.0)
        case.ahead = look.Ahead(int(before), True)
    elif found.state == JobState.READY and found.stream is not None and found.id is not None:
        case.ahead = look.ahead(cluster, partition, found.stream, found.id, found.record.priority)
