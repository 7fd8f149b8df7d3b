"""A batch: made, filled, committed, its members' ends told, its callbacks run; a batch in a batch."""

from collections import Counter

from ganger import actor
from ganger.batch import Batch, mint_bid
from ganger.cluster import Cluster
from ganger.errors import BatchNotFound, OutcomeUnknown
from ganger.job import Entry
from ganger.keys import BatchKeys, Control
from ganger.label import split
from ganger.operations import batch, control, failing
from ganger.retry import Bury
from support.keyspace import HOST, opened
from support.leader import Leader
from support.stage import Stage
from support.stories.registry import LINE, story

KEYS = Control("ganger")


def _callbacks() -> dict[str, actor.Actor[[], None]]:
    """Jobs of this story, which no registry keeps."""
    made = {}
    kept, actor._registry = actor._registry, {}
    try:
        for which in ("complete", "success", "death"):

            @actor.job(name=f"shop.{which}", queue="line")
            def told() -> None: ...

            made[which] = told
    finally:
        actor._registry = kept
    return made


def fill(stage: Stage, made: Batch, count: int) -> None:
    """As docs/batches.md says: who hears that the outcome is unknown looks how many are in. (Who comes late
    all the same makes them twice as many.)"""
    rows = [(number,) for number in range(count)]

    def push(_: Cluster) -> None:
        made.client.push_many("shop.send", rows, queue="line")

    def push_if_none(_: Cluster) -> None:
        if not isinstance(stage.heard[-1], OutcomeUnknown) or not made.status().total:
            made.client.push_many("shop.send", rows, queue="line")

    stage.act(push, push_if_none, lives=True, named=False)


def lead(stage: Stage) -> None:
    """A leader delivers what is owed; what one can't, the next does."""
    stage.act(lambda c: Leader(c, (LINE,)).work())


def end_all(stage: Stage, tally: Counter[str], how: str = "succeeded") -> None:
    """Workers run what is ready; members end like this, callbacks well."""
    while entries := stage.take(LINE):
        for entry in entries:
            who = (split(entry.body)[0].member or "").partition(":")[2]
            tally[who if who in ("complete", "success", "death") else "member"] += 1
            if entry.type == "shop.send" and how == "dead":
                bury(stage, entry)
            else:
                stage.settle([entry])
        lead(stage)


def bury(stage: Stage, entry: Entry) -> None:
    stage.act(lambda c: failing.apply(c, entry, HOST, Bury(entry.state)))


def over(stage: Stage, made: Batch, tally: Counter[str], **expected: int) -> None:
    """Each callback has come as often as it should, nothing is owed, and no live batch is listed."""
    stage.deliver()
    end_all(stage, tally)
    lead(stage)
    lead(stage)
    members = tally.pop("member")
    assert members in (expected["members"], 2 * expected["members"]), f"{members} members"
    assert members == expected.pop("members") or any(isinstance(e, OutcomeUnknown) for e in stage.heard)
    assert tally == Counter(expected), tally
    keys = BatchKeys("ganger", made.bid)
    seen = batch.parse_look(stage.cluster.run(batch.look_command(keys)), keys)
    assert not seen.owes


def prepare(stage: Stage) -> None:
    control.register_queue(stage.cluster, KEYS, "line", 1)
    opened(stage.cluster, LINE)
    stage.begin()


@story
def a_batch_that_succeeds(stage: Stage) -> None:
    prepare(stage)
    told = _callbacks()
    made = Batch(success=told["success"], complete=told["complete"], client=stage.client(stage.caller))
    tally: Counter[str] = Counter()
    stage.act(lambda _: made.client, lives=True)
    fill(stage, made, 2)
    stage.act(lambda _: made.commit(), lives=True)
    end_all(stage, tally)
    over(stage, made, tally, members=2, complete=1, success=1)
    stage.sure({}, places=(LINE,))
    assert batch.live_page(stage.cluster, KEYS, 0, 10, deadline_s=5) == []


@story
def a_batch_with_a_death(stage: Stage) -> None:
    prepare(stage)
    told = _callbacks()
    made = Batch(
        complete=told["complete"],
        death=told["death"],
        success=told["success"],
        client=stage.client(stage.caller),
    )
    tally: Counter[str] = Counter()
    stage.act(lambda _: made.client, lives=True)
    fill(stage, made, 1)
    stage.act(lambda _: made.commit(), lives=True)
    end_all(stage, tally, "dead")
    over(stage, made, tally, members=1, complete=1, death=1)


@story
def a_batch_in_a_batch(stage: Stage) -> None:
    prepare(stage)
    told = _callbacks()
    outer = Batch(success=told["success"], client=stage.client(stage.caller))
    inner = outer.child(success=told["success"])
    tally: Counter[str] = Counter()
    stage.act(lambda _: inner.client, lives=True)
    fill(stage, inner, 1)
    stage.act(lambda _: inner.commit(), lives=True)
    stage.act(lambda _: outer.commit(), lives=True)
    lead(stage)
    end_all(stage, tally)
    over(stage, outer, tally, members=1, success=2)
    stage.sure({}, places=(LINE,))


@story
def a_batch_registered_and_never_made(stage: Stage) -> None:
    """Its producer dies; another forgets a batch on purpose."""
    opened(stage.cluster, LINE)
    stage.begin()
    bid, other = mint_bid(), BatchKeys("ganger", mint_bid())
    stage.act(lambda c: batch.register(c, KEYS, bid))
    stage.act(lambda c: batch.register(c, KEYS, other.bid))
    stage.act(lambda c: batch.create(c, other, {"bid": other.bid}))
    stage.act(lambda c: batch.delete(c, other))
    lead(stage)
    stage.deliver()
    try:
        batch.parse_look(stage.cluster.run(batch.look_command(other)), other)
    except BatchNotFound:
        return
    assert stage.case is not None and stage.case.late
