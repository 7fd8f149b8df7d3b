"""All stories by name, and what many of them begin with."""

from collections.abc import Callable, Sequence

from ganger.jid import mint
from ganger.job import NewJob
from ganger.keys import Partition, partitions
from ganger.label import Label, encode
from ganger.operations import enqueue
from support.keyspace import MAIL, opened
from support.stage import Stage

Story = Callable[[Stage], None]
STORIES: dict[str, Story] = {}


def story(told: Story) -> Story:
    STORIES[told.__name__] = told
    return told


LINE = partitions("ganger", "line", 1)[0]
"""The only one of its queue: what goes to all partitions of a queue is quick there."""


def jobs(count: int = 1, label: Label | None = None, place: Partition = MAIL) -> list[NewJob]:
    """New ones for this partition."""
    body = (encode(label) if label is not None else b"") + b"{}"
    return [NewJob(jid, "shop.send", body) for jid in mint(place.queue, place.index, count)]


def pushed(stage: Stage, count: int = 1, label: Label | None = None, place: Partition = MAIL) -> list[str]:
    """Jobs in ready, before the story begins."""
    opened(stage.cluster, place)
    made = jobs(count, label, place)
    enqueue.push(stage.cluster, place, 5, made)
    return [job.jid for job in made]


def all_at(made: Sequence[NewJob], what: str) -> dict[str, str]:
    return {job.jid: what for job in made}
