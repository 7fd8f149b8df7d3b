"""A queue's past: rewound, replayed into another queue, skipped, and each taken back."""

from collections.abc import Iterator

from ganger import calls
from ganger.cluster import Cluster
from ganger.errors import BadOptions, JobNotFound
from ganger.keys import Control, partitions
from ganger.operations import claim, control, retain, settle
from ganger.operations.runs import Run
from ganger.replaying import drive
from support.keyspace import HOST, WORKER
from support.stage import COSTS, Stage
from support.stories.registry import LINE, pushed, story

KEYS = Control("ganger")
COPIES = partitions("ganger", "copies", 1)[0]


def past(stage: Stage, count: int = 3) -> list[str]:
    """Jobs that have ended well, in a queue that retains them."""
    control.register_queue(stage.cluster, KEYS, "line", 1)
    made = pushed(stage, count, place=LINE) if count else []
    calls.open_partition(stage.cluster, LINE)
    retain.trim(stage.cluster, LINE, 1, retain.Retention(count=100))
    taken = claim.claim(stage.cluster, LINE, HOST, WORKER, 1, budget_us=10**9, cap=1000, costs=COSTS)
    for entry in taken.entries:
        settle.settle(stage.cluster, LINE, "succeeded", {entry.stream: [entry.id]})
    return made


def through(rounds: Iterator[Run]) -> Run:
    *_, last = rounds
    return last


def go(stage: Stage, run: Run) -> None:
    """A person starts a run; who finds it begun goes on with it."""

    def begin(cluster: Cluster) -> Run:
        return through(drive.begin(cluster, KEYS, run, drive.survey(cluster, KEYS, run)))

    def carry_on(cluster: Cluster) -> Run:
        try:
            found = drive.find(cluster, KEYS, run.run)
        except JobNotFound:
            return begin(cluster)
        return found if found.state == "finished" else through(drive.carry_on(cluster, KEYS, found))

    stage.act(begin, carry_on)


def undo(stage: Stage, run: Run) -> None:
    def take_back(cluster: Cluster) -> Run:
        found = drive.find(cluster, KEYS, run.run)
        try:
            return through(drive.undo(cluster, KEYS, found))
        except BadOptions:
            return found  # it is undone

    stage.act(take_back)


def order(stage: Stage, kind: str, into: str = "") -> Run:
    return stage.act(lambda c: drive.order(c, KEYS, kind, "line", into=into))  # type: ignore[arg-type]


@story
def rewound(stage: Stage) -> None:
    """They run once more and are in the log again; nothing late makes them run a third time."""
    made = past(stage)
    stage.begin()
    go(stage, order(stage, "rewind"))
    entries = stage.take(LINE)
    assert len(entries) == len(made)
    stage.settle(entries)
    stage.sure(dict.fromkeys(made, "log"), places=(LINE,))


@story
def rewound_and_taken_back(stage: Stage) -> None:
    made = past(stage)
    stage.begin()
    run = order(stage, "rewind")
    go(stage, run)
    undo(stage, run)
    stage.sure(dict.fromkeys(made, "log"), places=(LINE,))


@story
def replayed_elsewhere(stage: Stage) -> None:
    made = past(stage)
    stage.begin()
    go(stage, order(stage, "replay", "copies"))
    copies = stage.take(COPIES)
    assert len(copies) == len(made)
    stage.settle(copies)
    stage.sure({}, places=(COPIES,))
    stage.sure(dict.fromkeys(made, "log"), places=(LINE,))


@story
def replayed_elsewhere_and_taken_back(stage: Stage) -> None:
    made = past(stage)
    stage.begin()
    run = order(stage, "replay", "copies")
    go(stage, run)
    undo(stage, run)
    assert stage.take(COPIES) == []
    stage.sure({}, places=(COPIES,))
    stage.sure(dict.fromkeys(made, "log"), places=(LINE,))


@story
def skipped(stage: Stage) -> None:
    past(stage, 0)
    made = pushed(stage, 3, place=LINE)
    stage.begin()
    go(stage, order(stage, "skip"))
    assert stage.take(LINE) == []
    stage.sure(dict.fromkeys(made, "log"), places=(LINE,))


@story
def skipped_and_taken_back(stage: Stage) -> None:
    past(stage, 0)
    made = pushed(stage, 3, place=LINE)
    stage.begin()
    run = order(stage, "skip")
    go(stage, run)
    undo(stage, run)
    stage.settle(stage.take(LINE))
    stage.sure(dict.fromkeys(made, "log"), places=(LINE,))
    assert len(stage.ran) == len(made)
