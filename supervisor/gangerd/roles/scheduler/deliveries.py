"""Which effects there are, and who delivers each: the table of the outbox walk.

For the scheduler, and for a test that performs what is queued (practice.py)."""

from ganger import parcel
from ganger.cluster import Cluster
from gangerd.roles.scheduler.marks import Marks
from gangerd.roles.scheduler.outbox import Outbox
from gangerd.roles.scheduler.parcels import Parcels


def outbox_walk(cluster: Cluster, namespace: str, *, replicas: int = 0) -> Outbox:
    """A walk that knows every kind of effect."""
    walk = Outbox(cluster)
    marks = Marks(cluster, namespace, walk.attend, replicas=replicas)
    walk.teach(b"b", marks.deliver)
    walk.teach(b"c", marks.adopt)
    parcels = Parcels(cluster, namespace, replicas=replicas)
    walk.teach(parcel.PREFIX, parcels.deliver, parcels.cleared)
    return walk
