"""What comes by the clock: the ticks of a cron entry, its pause, a run on a person's wish."""

from ganger.cluster import Cluster
from ganger.cron import due
from ganger.cron.entry import CronEntry
from ganger.errors import OutcomeUnknown
from ganger.keys import Control
from ganger.operations import cron
from support.crons import MINUTE_MS, begun, entry
from support.keyspace import HOST, MAIL, opened, snapshot
from support.model import picture_of
from support.stage import Stage
from support.stories.registry import story

KEYS = Control("ganger")
HOME = f"{MAIL.queue} {MAIL.index}"


def round_of(cluster: Cluster, one: CronEntry) -> int:
    """What a leader does each second, who knows nothing; how many jobs came of it."""
    node_ms, (memory,) = cron.look(cluster, MAIL, [one.name])
    if memory is None or memory.paused_at_ms:
        return 0
    steps = due.steps(one.schedule, one.missed, one.window_ms, memory.covered_ms, node_ms)
    return sum(cron.fire(cluster, MAIL, one, step, node_ms).word == "fired" for step in steps)


def waiting(stage: Stage) -> list[str]:
    seen = picture_of(snapshot(stage.servers), MAIL)
    return [jid for jid, place in seen.places.items() if place.what == "waiting"]


@story
def ticks(stage: Stage) -> None:
    """Three were missed, and each shall be made up for: once, whoever leads."""
    opened(stage.cluster)
    one = entry(missed="all")
    stage.begin()
    stage.act(lambda c: cron.announce(c, KEYS, HOST, "shop", [one_as_told(one)]))
    stage.act(lambda c: cron.begin(c, MAIL, one))
    stage.act(lambda c: cron.settle_in(c, KEYS, one.name, HOME))
    at_ms = begun(stage.cluster, one, ago_ms=3 * MINUTE_MS)
    expected = len(due.steps(one.schedule, "all", None, at_ms, at_ms + 3 * MINUTE_MS))
    stage.act(lambda c: round_of(c, one))
    stage.act(lambda c: round_of(c, one))
    stage.deliver()
    assert len(waiting(stage)) in (expected, expected + 1), "a minute may have passed"
    stage.settle(stage.take())
    stage.sure({})


def one_as_told(one: CronEntry) -> dict[str, object]:
    import msgspec

    found: dict[str, object] = msgspec.to_builtins(one)
    return found


@story
def a_cron_entry_paused_run_and_forgotten(stage: Stage) -> None:
    """A run on a person's wish whose reply is lost may be wished for twice."""
    opened(stage.cluster)
    one = entry(overlap="skip", cron="0 0 29 2 *")
    stage.begin()
    stage.act(lambda c: cron.announce(c, KEYS, HOST, "shop", [one_as_told(one)]))
    stage.act(lambda c: cron.begin(c, MAIL, one))
    assert stage.act(lambda c: cron.pause(c, MAIL, one.name)) in ("paused", "same")
    assert stage.act(lambda c: round_of(c, one)) == 0
    assert stage.act(lambda c: cron.pause(c, MAIL, one.name, resume=True)) in ("resumed", "same")
    stage.act(lambda c: cron.fire(c, MAIL, one, None, 0))
    stage.settle(stage.take())
    stage.act(lambda c: cron.sweep(c, MAIL, [one.name]))
    stage.act(lambda c: cron.withdraw(c, KEYS, HOST))
    stage.deliver()
    left = waiting(stage)
    unknown = any(isinstance(error, OutcomeUnknown) for error in stage.heard)
    assert not left or unknown
    stage.sure(dict.fromkeys(left, "waiting"))
