"""Holders of permits that contend for them, a process of several: each a thread with connections of its own.

They write down each permit they had: from when to when it was valid, by the machine's one boot-time clock, so
that the permits of all processes can be laid side by side. Run by tests/engine/throttle/test_nemesis.py as
`python permit_holders.py SETTINGS`, with SETTINGS as JSON; its end is the end of its standard input.
"""

import json
import random
import sys
import threading
from pathlib import Path
from typing import Any

from ganger.clock import boottime_s
from ganger.errors import GangerError
from ganger.throttle.holders import this_process
from ganger.throttle.semaphore import Permit, Semaphore, renew
from ganger.throttle.servers import Servers


def hold(settings: dict[str, Any], number: int, stop: threading.Event, log: Path) -> None:
    """Acquire, hold, renew, release, again and again."""
    rng = random.Random(f"{settings['seed']}-{number}")
    servers = Servers(settings["urls"])
    ttl_ms = settings["ttl_ms"]
    known = [
        Semaphore(servers, "ganger", f"limit-{limit}", limit, ttl_ms=ttl_ms, rng=rng)
        for limit in settings["limits"]
    ]
    with log.open("w", buffering=1) as out:
        while not stop.is_set():
            semaphore = rng.choice(known)
            try:
                outcome = semaphore.attempt(this_process())
            except GangerError:
                outcome = None
            if not isinstance(outcome, Permit):
                stop.wait(rng.uniform(0.005, 0.06))
                continue
            keep(outcome, rng, ttl_ms / 1000, stop, out)


def keep(permit: Permit, rng: random.Random, ttl_s: float, stop: threading.Event, out: Any) -> None:
    began_ms = boottime_s() * 1000
    until_s = boottime_s() + rng.choice((0.02, 0.3, 3.0)) * rng.random() * ttl_s
    valid_until_ms = permit.holding.valid_until_ms()
    while permit.valid and boottime_s() < until_s and not stop.is_set():
        stop.wait(min(ttl_s / 3, max(0.0, until_s - boottime_s())))
        if until_s - boottime_s() > 0:
            renew(permit.semaphore.servers, [permit])
        # One whose votes were taken back was valid until then.
        known_ms = permit.holding.valid_until_ms() if permit.valid else boottime_s() * 1000
        valid_until_ms = known_ms if permit.valid else min(known_ms, valid_until_ms)
    if permit.valid and rng.random() < 0.85:  # else as if it had died
        valid_until_ms = min(valid_until_ms, boottime_s() * 1000)
        permit.semaphore.release(permit)
    out.write(f"{permit.semaphore.terms.limit} {permit.holding.seat} {began_ms:.3f} {valid_until_ms:.3f}\n")


def main() -> None:
    settings = json.loads(sys.argv[1])
    stop = threading.Event()
    logs = Path(settings["directory"])
    threads = [
        threading.Thread(
            target=hold, args=(settings, number, stop, logs / f"{settings['seed']}-{number}.log")
        )
        for number in range(settings["holders"])
    ]
    for thread in threads:
        thread.start()
    sys.stdin.read()
    stop.set()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
