"""Jobs of limited types: put aside into lanes, sorted by key, claimed there, and back when nobody limits."""

from ganger.cluster import Cluster
from ganger.job import Entry, State
from ganger.label import Label
from ganger.operations import failing, lanes
from ganger.operations.lanes import Mark, lane_id
from ganger.retry import Retry
from support.keyspace import HOST, MAIL, OTHER_HOST
from support.laned import over
from support.stage import Stage
from support.stories.registry import pushed, story

KEY = "0123456789abcdef"
LANE = lane_id("shop.send", KEY)
PLAIN = lane_id("shop.send", "")


def say(stage: Stage, *, keyed: bool) -> None:
    """A coordinator's: this type is limited."""
    command = lanes.aside_command(MAIL, [Mark("shop.send", keyed)], lanes.MARK_MS)
    stage.act(lambda c: lanes.parse_aside(c.run(command), MAIL))


def sort(cluster: Cluster) -> int:
    """A worker's: it works out the keys of those that lie unsorted."""
    found = lanes.parse_unsorted(cluster.run(lanes.unsorted_command(MAIL)), MAIL)
    command = lanes.sort_command(MAIL, [(each.id, each.type, KEY) for each in found])
    return lanes.parse_sort(cluster.run(command), MAIL)


def look(cluster: Cluster) -> list[str]:
    return [lane.id for lane in lanes.parse_look(cluster.run(lanes.look_command(MAIL)), MAIL)[0]]


def take(stage: Stage, host: str = HOST) -> list[Entry]:
    """What was given back on the way has to go aside once more."""
    entries = stage.take(host=host, lane=LANE)
    if not entries:
        assert stage.take() == []
        stage.act(sort)
        entries = stage.take(host=host, lane=LANE)
    return entries


@story
def limited_by_key(stage: Stage) -> None:
    """Aside, sorted, claimed; one fails and comes by the same way, one is given back by another host."""
    first, second = pushed(stage, 2)
    stage.begin()
    say(stage, keyed=True)
    assert stage.take() == []
    stage.act(sort)
    assert stage.act(look) == [LANE]
    one, other = take(stage)
    assert (one.jid, other.jid) == (first, second)
    stage.act(lambda c: failing.apply(c, one, HOST, Retry(60_000, State(attempts=1))))
    stage.act(lambda c: failing.release(c, MAIL, HOST, [(other, None)]))
    assert stage.take() == []
    stage.act(sort)
    (again,) = take(stage, OTHER_HOST)
    stage.settle([again])
    stage.sure({first: "later", second: "gone"}, ran=2)


@story
def limited_no_more(stage: Stage) -> None:
    """Nobody says the word again: the scheduler brings them back, and they run as before."""
    first, second = pushed(stage, 2)
    expired = pushed(stage, 1, Label(expires_at_ms=1))
    stage.begin()
    say(stage, keyed=False)
    assert stage.take() == []
    assert stage.act(look) == [PLAIN]
    over(stage.cluster, "shop.send")

    def pay(cluster: Cluster) -> None:
        after = debt = ""
        while True:
            command = lanes.unlane_command(MAIL, after, debt, 1)
            _, after, debt = lanes.parse_unlane(cluster.run(command), MAIL)
            if not after:
                return

    stage.act(pay)
    stage.deliver()
    entries = stage.take()
    assert len(entries) == 2 or stage.came_late
    stage.settle(entries)
    waits = ("gone", "laned") if stage.came_late else "gone"
    stage.sure({first: waits, second: waits, expired[0]: "gone"})
