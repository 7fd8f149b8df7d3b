"""How far batches are: what `Batch.status()`, `ganger batches` and `ganger batch show` tell. Read-only."""

import re
from dataclasses import dataclass, field

from ganger.calls import parse_time, time_command
from ganger.cluster import Cluster
from ganger.errors import BatchNotFound, GangerError
from ganger.keys import BatchKeys, Control
from ganger.lifecycle import read_ms
from ganger.operations import batch
from ganger.operations.look import LOOK_S


@dataclass(frozen=True, slots=True)
class BatchStatus:
    """One batch. `state`: open (not committed), abandoned (open, and nothing has moved for half an hour),
    running, complete (every member has ended, not all well), success."""

    bid: str
    description: str
    state: str
    total: int
    """Members ever added; a child batch is one."""
    pending: int
    succeeded: int
    failed: int
    complete: str
    """Of each callback: waiting, none (there is none to fire), fired (its job is on its way), or how that
    ended."""
    success: str
    death: str
    parent_bid: str | None
    created_at_ms: int
    active_at_ms: int
    """When something last moved, by its node's clock."""
    failures: dict[int, str] = field(default_factory=dict)
    """The first failed members: number -> "<how> <jid>"."""


def status(cluster: Cluster, keys: BatchKeys) -> BatchStatus:
    """Raises BatchNotFound."""
    head, time = cluster.run_many([batch.head_command(keys), time_command(keys.slot)])
    return _read(batch.parse_head(head, keys), keys.bid, parse_time(time))


def recent(
    cluster: Cluster, control: Control, limit: int = 100, missed: dict[str, GangerError] | None = None
) -> list[BatchStatus]:
    """Batches under way, the newest first, then those that were over in the last day. With a dict as `missed`
    the bids of those out of reach are told there; without it the first of them is raised."""
    bids = batch.recent(cluster, control, limit, deadline_s=LOOK_S)
    keys = [BatchKeys(control.namespace, bid) for bid in bids]
    asks = [ask for each in keys for ask in (batch.head_command(each), time_command(each.slot))]
    replies = cluster.run_many(asks, deadline_s=LOOK_S)
    found: list[BatchStatus] = []
    for each, reply, time in zip(keys, replies[::2], replies[1::2], strict=True):
        try:
            found.append(_read(batch.parse_head(reply, each), each.bid, parse_time(time)))
        except BatchNotFound:
            continue  # about to be made, or just gone
        except GangerError as error:
            if missed is None:
                raise
            missed[each.bid] = error
    return found


def _read(head: dict[str, str], bid: str, now_ms: int) -> BatchStatus:
    total, ended, ok = (read_ms(head.get(name, "0")) for name in ("total", "ended", "ok"))
    active_ms = read_ms(head.get("active_ms", "0"))
    failed = sorted((name[2:], value) for name, value in head.items() if name.startswith("f:"))
    return BatchStatus(
        bid=bid,
        description=head.get("description", ""),
        state=_state(head, now_ms - active_ms),
        total=total,
        pending=total - ended,
        succeeded=ok,
        failed=ended - ok,
        complete=head.get("complete", "waiting"),
        success=head.get("success", "waiting"),
        death=head.get("death", "waiting"),
        parent_bid=head.get("parent_bid"),
        created_at_ms=read_ms(head.get("created_ms", "0")),
        active_at_ms=active_ms,
        failures={int(number): how for number, how in failed if re.fullmatch("[0-9]{1,9}", number)},
    )


def _state(head: dict[str, str], still_ms: int) -> str:
    if head.get("state") == "open":
        return "abandoned" if still_ms > batch.ABANDONED_MS else "open"
    if "success" in head:
        return "success"
    return "complete" if "complete" in head else "running"
