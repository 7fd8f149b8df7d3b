"""After an orderly reboot under work, and up to a power cut under work."""

import time
from pathlib import Path

from systemd_lab.guest.lab import DONE, UNIT, check, done, journal, prop, push_many, ran, settings, until

NAMES = [f"reboot{number}" for number in range(30)]
CUT = [f"cut{number}" for number in range(30)]


def main() -> None:
    now = Path("/proc/sys/kernel/random/boot_id").read_text()
    check(now != (DONE / "boot").read_text(), "the machine was started anew")
    check(
        until(lambda: prop("ActiveState") == "active", UNIT), "the service came with it", prop("StatusText")
    )
    last = journal("-b", "-1")[-4:]
    check(
        any('"master.stopped"' in line for line in journal("-b", "-1")), "the last one ended in order", last
    )
    check(until(lambda: done(NAMES), "all jobs end"), "after a reboot under work nothing is lost")
    twice = [name for name in NAMES if sum(word.startswith("end") for word in ran(name)) > 1]
    check(not twice, "and nothing was run to its end twice", twice)
    until(settings, "the servers")
    push_many(CUT, 0.5)
    # What the servers' append-only files get is on the disk a second later at the latest.
    time.sleep(3)
    begun = sum(bool(ran(name)) for name in CUT)
    check(0 < begun < len(CUT), "some are under way when the power goes", begun)
    Path("/host/stage").write_text("third")
    print("# cut the power", flush=True)
    time.sleep(600)
