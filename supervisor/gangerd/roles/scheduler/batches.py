"""A look at every batch that may still owe something: what nobody else has delivered, and which are over.

Mostly there is nothing to find, for producers deliver what they add and marks are followed at once. It is for
the rest: a producer or a leader died in between. Two thousand at a look, so a turn over ten thousand batches
takes some seconds. What changed since the last look is counted for statsd; the first look of a leader sets
the mark and counts nothing.
"""

from ganger.cluster import Cluster
from ganger.errors import BatchNotFound, GangerError
from ganger.keys import BatchKeys, Control
from ganger.operations import batch, outbox
from gangerd import metrics
from gangerd.metrics import Statsd
from gangerd.roles.scheduler.outbox import Outbox

DEADLINE_S = 0.8
PAGE = 500
MOST_PAGES = 4
"""In one look."""


class Batches:
    def __init__(self, cluster: Cluster, keys: Control, walks: Outbox, statsd: str) -> None:
        self._cluster = cluster
        self._keys = keys
        self._walks = walks
        self._statsd = Statsd.from_address(statsd)
        self._place = 0
        self._seen: dict[str, tuple[bool, bool]] = {}
        """Of each batch: whether it was complete, and a success."""
        self._had_turn = False

    def look(self) -> None:
        """Some pages. Raises GangerError when the list can't be read."""
        for _ in range(MOST_PAGES):
            if self._look_at_page() < PAGE:
                break
        self._statsd.flush()

    def _look_at_page(self) -> int:
        """How many there were."""
        bids = batch.live_page(self._cluster, self._keys, self._place, PAGE, deadline_s=DEADLINE_S)
        places = [BatchKeys(self._keys.namespace, bid) for bid in bids]
        replies = self._cluster.run_many([batch.look_command(one) for one in places], deadline_s=DEADLINE_S)
        over: list[str] = []
        gone: list[str] = []
        for place, reply in zip(places, replies, strict=True):
            try:
                seen = batch.parse_look(reply, place)
            except BatchNotFound:
                gone.append(place.bid)
                continue
            except GangerError:
                continue  # its node is down
            self._count(place.bid, bool(seen.complete), bool(seen.success))
            if seen.owes:
                self._walks.attend(outbox.box_of(place))
            elif seen.is_over:
                over.append(place.bid)
        if over or gone:
            batch.retire(self._cluster, self._keys, over, gone, deadline_s=DEADLINE_S)
        for bid in (*over, *gone):
            self._seen.pop(bid, None)
        self._place += PAGE - len(over)
        if len(bids) < PAGE:
            self._place, self._had_turn = 0, True
        return len(bids)

    def forget(self) -> None:
        """Another leader looks from now on."""
        self._place, self._had_turn, self._seen = 0, False, {}

    def close(self) -> None:
        self._statsd.close()

    def _count(self, bid: str, complete: bool, success: bool) -> None:
        before = self._seen.get(bid)
        self._seen[bid] = (complete, success)
        if before is None:
            if not self._had_turn:
                return
            self._statsd.count(metrics.BATCH_CREATED, 1)
            before = (False, False)
        if complete and not before[0]:
            self._statsd.count(metrics.BATCH_COMPLETE, 1)
        if success and not before[1]:
            self._statsd.count(metrics.BATCH_SUCCESS, 1)
