"""One trip to Redis: what is done is settled, and a claim brings new entries. The worker loop calls.

Crash points and lost replies. The claim's token stands in the page before the claim leaves; a worker that
dies on the way leaves the host enough to close it. A settle whose reply is lost rides again with the next
trip and finds its ids gone. A claim whose outcome stays unknown is closed (so that it can never run later)
before this worker sleeps or claims again, and what it took goes back unstarted."""

import contextlib
import time
from typing import Any

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.errors import GangerError, NodeDown
from ganger.job import BLANK, Entry
from ganger.keys import Partition
from ganger.operations import claim, failing, lanes, settle
from gangerd.page import PageFull, PageWriter
from gangerd.recorder import HISTOGRAM, Counter, Phase
from gangerd.worker.costs import Costs
from gangerd.worker.hand import Hand, by_partition, by_stream
from gangerd.worker.sight import Sight, Target

BUDGET_US = 50_000
"""A claim fetches what is expected to run within this: the longest a job waits behind its batch."""
MOST = 64
MOST_AHEAD = 16
MOST_BYTES = 4 << 20
DEADLINE_S = 5.0
MIXED_S = 1.5
"""The same where a claim has company for other nodes: what it brings must not wait for one that hangs."""
LATE_S = 3.0
"""How long a node that did not take a settle or a recall is left alone with them."""
_CLAIMS, _EMPTY, _WAIT_US = int(Counter.CLAIMS), int(Counter.EMPTY_CLAIMS), int(Counter.WAIT_US)


class Fetch:
    """`trip` is the whole of it; `more` says whether the last claim left something behind."""

    def __init__(self, cluster: Cluster, page: PageWriter, hand: Hand, host: str, incarnation: str) -> None:
        self._cluster = cluster
        self._page = page
        self._hand = hand
        self._host = host
        self._incarnation = incarnation
        self._op = 0
        self._unknown: dict[int, tuple[Partition, int]] = {}
        self._recall_s = 0.0
        self._late: set[Partition] = set()
        self._late_until_s = 0.0
        self._table: dict[str, int] | None = None
        self._costs = b""
        self._ahead = 1
        self.more = False
        self.unsorted = 0
        """Jobs that wait there for their lane to be worked out."""

    def trip(self, target: Target, sight: Sight, costs: Costs, most: int = MOST) -> list[Entry]:
        """Settle, claim `most` at most, and take up what the claim brought. Raises GangerError when the claim
        failed; what was settled stays settled."""
        if self._hand.some_taken:
            self.release_taken()
        if self._unknown:
            self.recall()
            if target.index in self._unknown:
                # Another claim there would push it out of the memo, and what it took would be nobody's.
                raise NodeDown("a claim there is not answered yet: look elsewhere meanwhile.")
        self._op += 1
        self._page.claim_sent(self._op, target.index)
        self._page.enter(Phase.CLAIMING, time.monotonic_ns())
        groups, commands = self._settles()
        mixed = any(group[0].partition is not target.partition for group in groups)
        commands.append(self._claim(target, costs, most))
        replies = self._ask(commands, MIXED_S if mixed else DEADLINE_S)
        self._settled(groups, replies)
        claimed = self._claimed(target, replies[-1])
        self.more, self.unsorted = claimed.more, claimed.unsorted
        if target.laned:
            sight.charge(self._part(claimed.entries))
        elif not (claimed.more or claimed.unsorted):
            sight.drained(target, self._part(claimed.entries))
        try:
            self._hand.take_up(claimed.entries)
        except PageFull:
            self._take_up_some(claimed.entries)
        self._answered()
        self._count(claimed)
        for garbled in claimed.garbled:
            # What can't be set aside now comes back when its lease runs out; the entries taken up come first.
            with contextlib.suppress(GangerError):
                failing.set_aside(self._cluster, target.partition, self._host, garbled.stream, garbled.id)
        return claimed.entries

    def _take_up_some(self, entries: list[Entry]) -> None:
        """What the page has no room for, which takes names longer than ours, goes back at once."""
        while True:
            self.release(entries[len(entries) // 2 :])
            del entries[len(entries) // 2 :]
            with contextlib.suppress(PageFull):
                return self._hand.take_up(entries)

    def settle(self, *, last: bool = True) -> None:
        """Settle what is done in a trip of its own: at the end or, with `last` false, before sleep; then what
        a node has just not taken is passed over. What could not be settled stays in hand."""
        if last:
            self._late.clear()
        groups, commands = self._settles()
        if commands:
            self._settled(groups, self._ask(commands, MIXED_S))

    def release(self, entries: list[Entry]) -> None:
        """Hand back what was never started: no attempt is used, and it goes first in its priority."""
        for group in by_partition(entries):
            left = [(entry, None) for entry in group]
            outcomes = failing.release(self._cluster, group[0].partition, self._host, left)
            self._page.counters[Counter.RELEASED] += outcomes.count(failing.Outcome.MOVED)

    def release_taken(self) -> None:
        """Hand back what was taken back of the batch, before another takes its place on the page: the host
        does so too, but it may have died in between. Who comes second finds it gone. Raises GangerError."""
        taken = self._hand.taken()
        self.release(taken)
        self._hand.released(taken)

    def recall(self, *, last: bool = False) -> None:
        """Close the claims whose outcome is unknown, and hand back what they took: before the next claim, and
        before sleep, for nobody else will see those entries waiting. One that can't be closed yet stays, and
        is tried again after LATE_S, or because this is the `last` chance."""
        if not last and time.monotonic() < self._recall_s:
            return
        for index, (partition, op) in list(self._unknown.items()):
            try:
                taken = claim.close(
                    self._cluster, partition, self._host, self._incarnation, op, deadline_s=MIXED_S
                )
                self.release([Entry(partition, stream, id, "", "", BLANK, b"") for stream, id in taken])
            except GangerError:
                self._recall_s = time.monotonic() + LATE_S
                continue
            del self._unknown[index]
        self._answered()

    def _ask(self, commands: list[Command], deadline_s: float) -> list[Any]:
        """A reply or an error for each; a lone command, an idle worker's first, takes the shorter way."""
        if len(commands) > 1:
            return self._cluster.run_many(commands, deadline_s=deadline_s)
        try:
            return [self._cluster.run(commands[0], deadline_s=deadline_s)]
        except GangerError as error:
            return [error]

    def _settles(self) -> tuple[list[list[Entry]], list[Command]]:
        groups = by_partition(entry for _, entry in self._hand.done)
        if self._late and time.monotonic() < self._late_until_s:
            groups = [group for group in groups if group[0].partition not in self._late]
        return groups, [settle.command(group[0].partition, "succeeded", by_stream(group)) for group in groups]

    def _settled(self, groups: list[list[Entry]], replies: list[Any]) -> None:
        answered = list(zip(groups, replies, strict=False))
        failed = {group[0].partition for group, reply in answered if isinstance(reply, Exception)}
        if not failed and sum(map(len, groups)) == len(self._hand.done):
            self._late.clear()
            self._hand.settled([])
            return
        if failed:
            self._late |= failed
            self._late_until_s = time.monotonic() + LATE_S
        sent = {entry.id for group, _ in answered if group[0].partition not in failed for entry in group}
        self._hand.settled([kept for kept in self._hand.done if kept[1].id not in sent])

    def _claim(self, target: Target, costs: Costs, most: int) -> Command:
        table = costs.table()
        if table is not self._table:
            self._table, self._costs = table, claim.pack_costs(table)
        cap = self._hand.room(most)
        if target.laned:
            return lanes.claim_command(
                target.partition,
                self._host,
                self._incarnation,
                self._op,
                target.lane,
                BUDGET_US,
                cap,
                MOST_BYTES,
                self._costs,
            )
        return claim.command(
            target.partition,
            self._host,
            self._incarnation,
            self._op,
            BUDGET_US,
            cap,
            MOST_BYTES,
            self._costs,
            ahead=self._ahead,
            marked=target.marked,
        )

    def _claimed(self, target: Target, reply: Any) -> claim.Claimed:
        try:
            return claim.parse(reply, target.partition)
        except GangerError as error:
            if not isinstance(error, NodeDown):  # that one was never sent
                self._unknown[target.index] = (target.partition, self._op)
            self._answered()
            raise

    def _answered(self) -> None:
        """No claim is under way; but one that is still unknown stands in the page: should this worker die
        before it has closed it, the host will."""
        self._page.claim_over()
        for index, (_, op) in self._unknown.items():
            self._page.claim_sent(op, index)

    def _part(self, entries: list[Entry]) -> float:
        """How much of what a claim may bring these are, from 0 to 1."""
        table = self._table or {}
        expected_us = sum(table.get(entry.type, BUDGET_US) for entry in entries)
        return min(max(expected_us / BUDGET_US, len(entries) / MOST), 1.0)

    def _look_ahead(self, entries: list[Entry]) -> None:
        """Where the last jobs were cheap, the next claim reads several before it looks at what they cost: at
        most a quarter of the budget if they go on like that."""
        table = self._table or {}
        dearest = max(table.get(kind, BUDGET_US) for kind in {entry.type for entry in entries})
        self._ahead = max(1, min(MOST_AHEAD, BUDGET_US // (4 * dearest)))

    def _count(self, claimed: claim.Claimed) -> None:
        counters = self._page.counters
        counters[_CLAIMS] += 1
        if not claimed.entries:
            counters[_EMPTY] += 1
            return
        self._look_ahead(claimed.entries)
        now_us = time.time_ns() // 1000
        for entry in claimed.entries:
            waited_us = now_us - int(entry.id.partition(b"-")[0]) * 1000
            counters[_WAIT_US + min(max(waited_us, 0).bit_length(), HISTOGRAM - 1)] += 1
