"""A process that pushes jobs for a chaos run, and notes what it pushes before and after (journal.py).

`python -m chaos.producer SETTINGS_JSON`. Two threads: the bulk, hundreds in one call; and the odd kinds, one
by one. Every jid is noted before it can reach a server, by a hook in the function that makes jids, and as
acknowledged when the reply to its push was read and counted: so what a call that fails in part has added is
known too. It rests while a file says so (run.py watches the backlog) and ends on TERM, or when it is killed.
"""

import json
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from chaos import app
from chaos.journal import Pen, spans
from chaos.kinds import BY_NAME, LONG_LIFE_MS
from ganger import Batch, Client, GangerError, OutcomeUnknown
from ganger import jid as jids
from ganger.admin import Admin
from ganger.config import EngineConfig, parse_redis_url
from ganger.errors import JobEnded, JobNotFound
from ganger.keys import Control
from ganger.operations import enqueue, unique
from ganger.operations.cancel import Cancel

ROUND_S = 0.5
MOST_ROUNDS = 8
AGAIN = 40
"""So many jids of a push with an unknown outcome are pushed again."""


class Call(threading.local):
    """The push that this thread is making."""

    number: int = 0
    about: str = ""


class Ledger:
    """Notes what is minted and acknowledged in this process."""

    def __init__(self) -> None:
        self._pen = Pen("pushes")
        self._call = Call()
        self._lock = threading.Lock()
        self._count = 0
        self._mint, self._parse, self._parse_unique = jids.mint, enqueue.parse_push, unique.parse_push
        jids.mint = self._minting
        enqueue.parse_push = self._parsing  # type: ignore[assignment]
        unique.parse_push = self._parsing_unique  # type: ignore[assignment]

    def _write(self, line: str) -> None:
        with self._lock:
            self._pen.write(line)

    def _minting(self, queue: str, partition: int, count: int = 1) -> list[str]:
        names = self._mint(queue, partition, count)
        number, about = self._call.number, self._call.about
        if number:
            kind, due = about.split(" ", 1)
            self._write(f"I {time.monotonic_ns()} {number} {kind} {names[0][:-3]} {count} {due}")
        return names

    def _parsing(self, reply: object, place: Any, jobs: Sequence[Any]) -> bool:
        added = self._parse(reply, place, jobs)
        self._spans("A", [job.jid for job in jobs])
        if not added:
            self._write(f"H {time.monotonic_ns()}")
        return added

    def _parsing_unique(self, reply: Any, place: Any, jid: str) -> Any:
        answer = self._parse_unique(reply, place, jid)
        if answer.word == "pushed":
            self._spans("A", [jid])
        return answer

    def _spans(self, letter: str, names: Sequence[str]) -> None:
        for stem, first, last in spans(names):
            self._write(f"{letter} {time.monotonic_ns()} {stem} {first} {last}")

    def push(
        self, kind: str, act: Callable[[], Any], *, due_ms: int = 0, expires_ms: int = 0, extra: object = "-"
    ) -> Any:
        """The push, noted; OutcomeUnknown goes on, any other refusal answers None."""
        with self._lock:
            self._count += 1
            self._call.number = number = self._count
        self._call.about = f"{BY_NAME[kind].code} {due_ms} {expires_ms} {extra}"
        is_member, done = kind == "member", None
        try:
            done = act()
        except OutcomeUnknown as unknown:
            self._spans("U", unknown.jids)
            if is_member or not unknown.jids:
                number = 0  # anything may be in
            raise
        except GangerError:
            return None
        finally:
            self._call.number = 0
            if is_member and done:  # what its outbox holds is in as well
                self._spans("A", done)
            if number:
                self._write(f"Z {time.monotonic_ns()} {number}")
        return done

    def note(self, letter: str, name: str) -> None:
        self._write(f"{letter} {time.monotonic_ns()} {name}")


class Producer:
    def __init__(self, settings: dict[str, Any]) -> None:
        redis = parse_redis_url(settings["redis"])
        self.client = Client(EngineConfig(redis=redis, durability="replicated"))
        self.admin = Admin(self.client.cluster, Control("ganger"))
        self.bulk_per_s, self.odd_per_s = settings["bulk_per_s"], settings["odd_per_s"]
        self.slow = Path(settings["slow"])
        self.rng = random.Random(settings["seed"])
        self.ledger = Ledger()
        self.stop = threading.Event()
        self.wanted_off: list[tuple[float, str]] = []

    def run(self) -> None:
        threads = [threading.Thread(target=target) for target in (self._bulk, self._odd)]
        for thread in threads:
            thread.start()
        self.stop.wait()
        for thread in threads:
            thread.join()

    def _rounds(self, pause_s: Callable[[], float], act: Callable[[], None]) -> None:
        """Again and again, unless the backlog is too long."""
        while not self.stop.wait(pause_s()):
            if not self.slow.exists():
                with suppress(GangerError):
                    act()

    def _bulk(self) -> None:
        rng = random.Random(self.rng.random())
        began_s = time.monotonic()
        jobs_a_round = self.bulk_per_s * ROUND_S

        def pause() -> float:
            return max(0.0, ROUND_S - (time.monotonic() - began_s))

        def act() -> None:
            nonlocal began_s
            # After a push that an outage held up there is more to push, within reason.
            rounds = min((time.monotonic() - began_s) / ROUND_S, MOST_ROUNDS)
            began_s = time.monotonic()
            count = int(jobs_a_round * rounds)
            some = max(1, count // 8)
            self._many(app.noop, [()] * (count - some))
            self._many(app.works, [(rng.choice((1, 2, 2, 5, 20)),)] * some)

        self._rounds(pause, act)

    def _many(self, job: Any, calls: list[tuple[Any, ...]]) -> None:
        try:
            self.ledger.push(job.name, lambda: job.options().push_many(calls, client=self.client))
        except OutcomeUnknown as unknown:
            for jid in unknown.jids[:AGAIN]:
                self.client.push(job.name, calls[0], jid=jid)  # the first that fails ends it

    def _odd(self) -> None:
        rng = random.Random(self.rng.random())
        acts = {
            self._delayed: 12, self._expires: 8, self._unwanted: 3, self._single: 10, self._narrow: 14,
            self._kept: 12, self._batch: 2, self._lingers: 3, self._plain("flaky"): 8,
            self._plain("doomed"): 3, self._plain("segfaults"): 1, self._plain("too_slow"): 2,
            self._plain("hangs"): 1, self._plain("hopeless"): 4,
        }  # fmt: skip

        def act() -> None:
            self._cancel_some()
            rng.choices(list(acts), list(acts.values()))[0](rng)

        self._rounds(lambda: rng.expovariate(self.odd_per_s), act)

    def _one(self, job: Any, *args: Any, options: dict[str, Any] | None = None, **about: Any) -> Any:
        options = options or {}
        try:
            return self.ledger.push(
                job.name, lambda: job.options(**options).push_with(self.client, *args), **about
            )
        except OutcomeUnknown as unknown:
            # As an application should. A delay counts anew: whoever comes first says when it is due.
            return self.client.push(job.name, args, jid=unknown.jids[0], **options)

    def _plain(self, name: str) -> Callable[[random.Random], None]:
        return lambda rng: self._one(getattr(app, name))

    def _delayed(self, rng: random.Random) -> None:
        delay_s = rng.choice((0.3, 1.0, 3.0, 8.0))
        due = time.time_ns() // 1_000_000 + int(delay_s * 1000)
        self._one(app.delayed, options={"delay": delay_s}, due_ms=due)

    def _expires(self, rng: random.Random) -> None:
        within_s = rng.choice((0.02, 0.2, 2.0, LONG_LIFE_MS / 1000))
        until = time.time_ns() // 1_000_000 + int(within_s * 1000)
        with suppress(OutcomeUnknown):  # pushed again it would have more time
            self.ledger.push(
                "expires",
                lambda: app.expires.options(expires_in=within_s).push_with(self.client),
                expires_ms=until,
                extra=int(within_s * 1000),
            )

    def _unwanted(self, rng: random.Random) -> None:
        jid = self._one(app.unwanted, options={"delay": rng.choice((0.5, 4.0, 20.0))})
        if jid is not None:
            self.wanted_off.append((time.monotonic() + rng.choice((0.1, 0.5, 3.0)), jid))

    def _cancel_some(self) -> None:
        due = [row for row in self.wanted_off if row[0] <= time.monotonic()]
        for row in due[:3]:
            self.wanted_off.remove(row)
            with suppress(JobEnded, JobNotFound):
                if self.admin.cancel(row[1]) == Cancel.CANCELLED:
                    self.ledger.note("C", row[1])

    def _single(self, rng: random.Random) -> None:
        key = rng.randrange(20)
        self._one(app.single, key, extra=key)

    def _narrow(self, rng: random.Random) -> None:
        self._one(app.narrow, rng.choice((20, 60, 150, 400)))

    def _lingers(self, rng: random.Random) -> None:
        self._one(app.lingers, rng.choice((1.0, 2.0, 3.0)))

    def _kept(self, rng: random.Random) -> None:
        self._one(app.kept, rng.randrange(1000))

    def _batch(self, rng: random.Random) -> None:
        """A few members and two callbacks, all of it in one thread's calls."""

        def members(batch: Batch, count: int) -> None:
            self.ledger.push("member", lambda: batch.push_many(app.member, [(1,)] * count), extra=batch.bid)

        batch = Batch(success=app.all_succeeded, complete=app.all_ended, client=self.client)
        with batch:
            for _ in range(rng.randint(1, 3)):
                members(batch, rng.randint(1, 8))
            self.ledger.note("W", batch.bid)
        self.ledger.note("M", batch.bid)


def main() -> None:
    producer = Producer(json.loads(sys.argv[1]))
    signal.signal(signal.SIGTERM, lambda *_: producer.stop.set())
    producer.run()


if __name__ == "__main__":
    main()
