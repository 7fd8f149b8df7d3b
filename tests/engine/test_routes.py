"""Which peer serves a slot, as it is patched and read anew: the map in stretches against a plain list of
all slots."""

from hypothesis import given, settings
from hypothesis import strategies as st

from ganger.config import RedisSettings
from ganger.slots import SLOTS
from ganger.wire.node import Node
from ganger.wire.peer import Peer
from ganger.wire.routes import SlotMap

SETTINGS = RedisSettings(nodes=(("127.0.0.1", 7000),))
PEERS = [Peer(Node("127.0.0.1", 7000 + number), SETTINGS) for number in range(4)]
EDGES = [0, 1, 2, 99, 100, 101, 5000, SLOTS - 2, SLOTS - 1]

slots = st.sampled_from(EDGES)
peers = st.sampled_from(PEERS)
patches = st.tuples(st.just("patch"), slots, peers)
looks = st.tuples(st.just("look"), slots)
readings = st.tuples(
    st.just("read"), st.lists(slots, unique=True, max_size=6).map(sorted), st.lists(peers, min_size=6)
)


@settings(deadline=None)
@given(st.lists(st.one_of(patches, looks, readings), max_size=12))
def test_a_map_in_stretches_says_what_a_list_of_all_slots_says(steps: list[tuple[object, ...]]) -> None:
    shown, plain = SlotMap(), list[Peer | None]([None] * SLOTS)
    for step in steps:
        match step:
            case ("patch", int(slot), Peer() as peer):
                shown[slot] = plain[slot] = peer
            case ("look", int(slot)):
                assert shown[slot] is plain[slot]
            case ("read", list(edges), list(who)):
                pairs = list(zip(edges[::2], edges[1::2], who, strict=False))
                shown = shown.under(pairs)
                for first, last, peer in pairs:
                    plain[first : last + 1] = [peer] * (last + 1 - first)
        assert shown.primaries() == list(dict.fromkeys(peer for peer in plain if peer is not None))
    seen = range(0, SLOTS, 97)
    assert [shown[slot] for slot in (*seen, *EDGES)] == [plain[slot] for slot in (*seen, *EDGES)]


def test_it_keeps_no_more_than_was_asked_for() -> None:
    shown = SlotMap().under([(0, 99, PEERS[0]), (100, SLOTS - 1, PEERS[1])])
    assert shown.primaries() == PEERS[:2]
    assert len(shown) == 0
    assert (shown[99], shown[100]) == (PEERS[0], PEERS[1])
    assert len(shown) == 2
