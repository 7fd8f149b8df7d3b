"""The steps of the walk of crashes with jobs that carry a label: members of a batch, tracked ones, some that
expire, runs of a cron entry that must not overlap. And what must hold of locks, batches and tracked ends
after any step."""

from collections.abc import Callable, Iterable
from random import Random
from typing import Any

from ganger.calls import fresh
from ganger.jid import mint
from ganger.job import NewJob
from ganger.label import Label, encode, split
from ganger.operations import enqueue, pause, track
from support.crashing import CrashingCluster
from support.keyspace import MAIL, run
from support.model import Picture, Place

BID = "b-000000000000000000000"
NIGHTLY = ("nightly", "c1")
"""A cron entry, and the digest of its lock."""
GONE = Place("gone")
OVER = ("gone", "log", "dead")


class LabelledSteps:
    """A mixin of CrashWalk."""

    cluster: CrashingCluster
    rng: Random
    places: dict[str, Place]
    over: str
    act: Callable[[Callable[[], Any], dict[str, Iterable[str]]], None]
    held: Callable[[], Place | None]

    def __init__(self) -> None:
        self.paused = False
        self._pushed: dict[str, Label] = {}
        """What was pushed with a label, and with which."""
        self._ended: set[str] = set()
        """Those that have ended at least once."""
        self._there: set[str] = set()
        self._rewound: set[str] = set()
        self._members = 0

    def has_expired(self, jid: str) -> bool:
        return split(self.places[jid].body)[0].expires_at_ms is not None

    def pushed_as(self, jid: str, label: Label) -> None:
        self._pushed[jid] = label

    def push_labelled(self) -> None:
        label = Label(
            expires_at_ms=1 if self.rng.random() < 0.2 else None,
            member=f"{BID}:{self._members}" if self.rng.random() < 0.6 else None,
            track_ms=3_600_000 if self.rng.random() < 0.6 else None,
        )
        self._members += 1
        job = NewJob(mint("mail", 3)[0], "cheap", encode(label) + b"{}")
        self.pushed_as(job.jid, label)
        if self.rng.random() < 0.5:
            self.act(lambda: enqueue.push(self.cluster, MAIL, 5, [job]), {job.jid: ("waiting",)})
        else:
            self.act(lambda: enqueue.schedule(self.cluster, MAIL, 5, [job], at_ms=1), {job.jid: ("later",)})

    def run_cron(self) -> None:
        """Now, on a person's wish; not while another run goes on."""
        name, lock = NIGHTLY
        run(self.cluster, "cron_begin", (MAIL.meta, MAIL.crons), name, "daily", 0, 0)
        (jid,) = mint("mail", 3)
        label = Label(unique=lock)
        self.pushed_as(jid, label)
        job = (lock, 3_600_000, 5, jid, "cheap", encode(label) + b"{}")
        keys = (MAIL.meta, MAIL.crons, MAIL.locks, MAIL.ready[4])
        busy = any(self._is_first_life(other) and self._pushed[other].unique == lock for other in self.places)
        self.act(
            lambda: run(self.cluster, "fire", keys, MAIL.wake, *fresh(), name, "", 0, *job),
            {jid: ("gone" if busy else "waiting",)},
        )

    def finish(self) -> None:
        if place := self.held():
            entry = place.entry
            assert entry is not None
            if split(entry.body)[0].track_ms is not None:
                self.act(lambda: track.finish(self.cluster, entry, 5, track.NONE), {entry.jid: (self.over,)})

    def pause(self) -> None:
        self.act(lambda: self.cluster.run(pause.change_command(MAIL, [("+", pause.EVERYTHING)])), {})
        self._look_whether_paused()

    def resume(self) -> None:
        self.act(lambda: self.cluster.run(pause.change_command(MAIL, [("-", pause.EVERYTHING)])), {})
        self._look_whether_paused()

    def _look_whether_paused(self) -> None:
        self.paused = pause.parse_held(self.cluster.run(pause.held_command(MAIL))).everything

    def _is_first_life(self, jid: str) -> bool:
        return jid in self._pushed and jid not in self._ended

    def check_labels(self, seen: Picture) -> None:
        """Whatever a job went through, its label says what it said, and its ends were told."""
        for jid, label in list(self._pushed.items()):
            place = seen.places.get(jid, GONE)
            if jid not in self._there and place is GONE:
                del self._pushed[jid]  # its push never came, or was refused
                continue
            self._there.add(jid)
            if place.what in OVER:
                self._ended.add(jid)
            if place is not GONE:
                self._check_words(jid, split(place.body)[0], label)
            if label.unique is not None and jid not in self._ended:
                assert seen.locks.get(label.unique) == jid, f"{jid} has lost its lock"
            if label.member is not None:
                told = seen.owed.get(label.member, "")
                assert bool(told) == (jid in self._ended), f"of {jid}, {place.what}, is told {told!r}"
                assert not told or told.split(" ")[1] == jid
            if jid in self._ended and place.what not in OVER:
                self._rewound.add(jid)
            if label.track_ms is not None:
                self._check_end(jid, place.what, seen.ends.get(jid))

    @staticmethod
    def _check_words(jid: str, now: Label, label: Label) -> None:
        kept = (now.member, now.track_ms, now.unique)
        assert kept == (label.member, label.track_ms, label.unique), f"{jid} was {label}, is {now}"
        assert now.expires_at_ms in (None, label.expires_at_ms)

    def _check_end(self, jid: str, what: str, how: str | None) -> None:
        if what == "log" and jid in self._rewound:
            return  # an undo puts it back; what was told of its end is not known any more
        if what == "dead":
            assert how == "dead", f"{jid} is dead, and told as {how}"
        elif what in OVER:
            assert how is not None, f"{jid} is {what}, and nothing is told of it"
        else:
            assert how in (None, "dead"), f"{jid} is {what}, and told as {how}"
