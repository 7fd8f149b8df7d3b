"""The moves out of working that one failure makes, for the tests of retry, bury and discard."""

from ganger.cluster import Cluster
from ganger.command import Command
from ganger.job import Entry, State
from ganger.operations import failing
from support.keyspace import HOST, MAIL, add, lease, opened

STATE = State(attempts=1)
JID = "1m816djxstan03qfea6k400000000"


def entry(stream: int = 5) -> Entry:
    return Entry(MAIL, stream, b"1-1", JID, "shop.send", State(), b"")


def move(kind: str, stream: int = 5, consumer: str = HOST, noted: int = 0) -> Command:
    match kind:
        case "retry":
            return failing.retry_command(entry(stream), consumer, 5000, STATE, noted)
        case "bury":
            return failing.bury_command(entry(stream), consumer, STATE, noted)
    return failing.discard_command(entry(stream), consumer, STATE, noted)


MOVES = ("retry", "bury", "discard")


def working(cluster: Cluster, stream: int = 5, **fields: str) -> None:
    opened(cluster)
    add(cluster, "1-1", JID, stream=stream, b='{"n":9007199254740993}', **fields)
    lease(cluster, stream=stream)
