"""A leader's delivery of what is owed, in this process and step by step; and workers that only end jobs."""

from ganger import parcel
from ganger.cluster import Cluster
from ganger.job import Entry
from ganger.keys import Partition
from ganger.label import split
from ganger.operations import claim, failing, outbox, settle
from ganger.retry import Bury, Discard
from gangerd.roles.scheduler.batches import Batches
from gangerd.roles.scheduler.marks import Marks
from gangerd.roles.scheduler.outbox import Outbox
from gangerd.roles.scheduler.parcels import Parcels
from support.jobs import KEYS
from support.roles import HOST


class Leader:
    """Knows nothing at its start, as a successor does."""

    def __init__(self, cluster: Cluster, places: tuple[Partition, ...]) -> None:
        self.cluster = cluster
        self.places = places
        self.walks = Outbox(cluster)
        self.marks = Marks(cluster, "ganger", self.walks.attend)
        self.parcels = Parcels(cluster, "ganger")
        self.walks.teach(b"b", self.marks.deliver)
        self.walks.teach(b"c", self.marks.adopt)
        self.walks.teach(parcel.PREFIX, self.parcels.deliver, self.parcels.cleared)
        self.batches = Batches(cluster, KEYS, self.walks, "")

    def work(self) -> None:
        """Until nothing is owed any more that can be delivered."""
        for _ in range(20):
            for place in self.places:
                length = self.cluster.run(outbox.length_command(outbox.box_of(place)))
                self.walks.heard(place, length, 0)
            self.batches.look()
            if self.walks.next_in_ms() != 0.0:
                return
            while self.walks.next_in_ms() == 0.0:
                self.walks.step()
        raise AssertionError("something is owed for ever")


class Hands:
    """Takes what is ready and ends it as it is told to."""

    def __init__(self, cluster: Cluster, places: tuple[Partition, ...]) -> None:
        self.cluster = cluster
        self.places = places
        self._op = 0

    def take(self) -> list[Entry]:
        self._op += 1
        costs = {f"shop.{name}": 1 for name in ("send", "complete", "success", "death")}
        found = []
        for place in self.places:
            taken = claim.claim(
                self.cluster, place, HOST, HOST, self._op, budget_us=10**9, cap=1000, costs=costs
            )
            found += taken.entries
        return found

    def end(self, entry: Entry, how: str) -> None:
        if how == "dead":
            failing.apply(self.cluster, entry, HOST, Bury(entry.state))
        elif how == "exhausted":
            failing.apply(self.cluster, entry, HOST, Discard(entry.state))
        else:
            settle.settle(self.cluster, entry.partition, how, {entry.stream: [entry.id]})  # type: ignore[arg-type]

    def run(self, how: str = "succeeded", *, only: str = "shop.send") -> list[str]:
        """End all jobs of a type that are ready, the members' numbers of those; others are a mistake."""
        done = []
        for entry in self.take():
            assert entry.type == only, entry
            self.end(entry, how)
            done.append((split(entry.body)[0].member or "").partition(":")[2])
        return sorted(done)
