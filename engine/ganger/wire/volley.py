"""The quick way for many commands: all nodes well, all links warm, all replies good. Else a Trip takes over.

This is what nearly every run_many is, and it costs about half of a Trip: no items, no deadlines to compare,
one poll per node. Whatever is no good reply within `PATIENCE_MS` (an error reply, a lost link, a slow node)
is handed to a Trip where it stands: one slow node holds up the repetitions for others no longer than that.
"""

from collections.abc import Sequence
from typing import Any

from ganger.command import Command
from ganger.wire.link import Link, LinkLost, ReplyError, pack
from ganger.wire.peer import Peer
from ganger.wire.routes import Routes
from ganger.wire.trip import Trip

PATIENCE_MS = 20


def volley(routes: Routes, commands: Sequence[Command], now_s: float, deadline_s: float) -> list[Any] | None:
    """The results, as from Trip.run; None when something is amiss before anything was sent."""
    table = routes.table
    groups: dict[Peer, list[int]] = {}
    for index, command in enumerate(commands):
        peer = table[command.slot]
        if peer is None or not peer.breaker.closed:
            return None
        if peer in groups:
            groups[peer].append(index)
        else:
            groups[peer] = [index]
    links: dict[Peer, Link] = {}
    for peer in groups:
        link = peer.warm(now_s)
        if link is None:
            for other, taken in links.items():
                other.give_unused(taken)
            return None
        links[peer] = link
    try:
        return _fire(routes, commands, groups, links, now_s, deadline_s)
    except BaseException:  # a signal handler's: a reply left behind would be read by the next caller
        for link in links.values():
            link.close()
        raise


def _fire(
    routes: Routes,
    commands: Sequence[Command],
    groups: dict[Peer, list[int]],
    links: dict[Peer, Link],
    now_s: float,
    deadline_s: float,
) -> list[Any]:
    results: list[Any] = [None] * len(commands)
    trip: Trip | None = None
    lost: dict[Peer, LinkLost] = {}
    for peer, indexes in groups.items():
        try:
            links[peer].start(b"".join([pack(commands[index].words) for index in indexes]), len(indexes))
        except LinkLost as error:
            lost[peer] = error
    patience_ms = min(PATIENCE_MS, max(0, int((deadline_s - now_s) * 1000)))
    for peer, indexes in groups.items():
        link = links[peer]
        try:
            if peer in lost:
                raise lost[peer]
            complete = link.fetch(patience_ms)
        except LinkLost as error:
            del links[peer]
            link.close()
            trip = trip or Trip(routes, (), deadline_s, 0, results)
            trip.take_over_lost(peer, [(index, commands[index]) for index in indexes], error)
            continue
        del links[peer]
        if not complete:
            patience_ms = 0
            trip = trip or Trip(routes, (), deadline_s, 0, results)
            trip.take_over(link, peer, [(index, commands[index]) for index in indexes], now_s)
            continue
        replies = link.replies
        peer.give(link, now_s)
        for index, reply in zip(indexes, replies, strict=True):
            if type(reply) is ReplyError:
                trip = trip or Trip(routes, (), deadline_s, 0, results)
                trip.take_over_refused(peer, index, commands[index], reply)
            else:
                results[index] = reply
    return results if trip is None else trip.run()
