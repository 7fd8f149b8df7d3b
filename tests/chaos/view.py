"""What the nodes of a cluster know of each other, read from CLUSTER NODES. No I/O; servers.py asks."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Known:
    """What a node knows of one of the cluster's."""

    ident: str
    port: int
    primary_id: str
    """Of its primary; "-" for one that is a primary."""
    flags: frozenset[str]
    epoch: int
    slots: tuple[tuple[int, int], ...]
    """Stretches of them, both ends included. Those on their way are left out."""

    @property
    def serves(self) -> bool:
        return bool(self.slots)

    def has(self, slot: int) -> bool:
        return any(first <= slot <= last for first, last in self.slots)


def read_view(text: str) -> dict[str, Known]:
    """The reply to CLUSTER NODES, by id."""
    found = {}
    for line in text.splitlines():
        ident, address, flags, primary, _, _, epoch, _, *slots = line.split()
        stretches = [part.partition("-") for part in slots if not part.startswith("[")]
        found[ident] = Known(
            ident,
            int(address.partition("@")[0].rpartition(":")[2]),
            primary,
            frozenset(flags.split(",")) - {"myself"},
            int(epoch),
            tuple((int(first), int(last or first)) for first, _, last in stretches),
        )
    return found
