"""After a power cut under work."""

import os
import subprocess

from systemd_lab.guest.lab import UNIT, check, prop, ran, until
from systemd_lab.guest.second import CUT, done


def main() -> None:
    check(until(lambda: prop("ActiveState") == "active", UNIT), "the service came back", prop("StatusText"))
    check(until(lambda: done(CUT), "all jobs end", 90), "after a power cut under work nothing is lost")
    again = [name for name in CUT if sum(word.startswith("begin") for word in ran(name)) > 1]
    check(bool(again), "those under way were begun again", f"{len(again)} of {len(CUT)}")
    os.sync()
    print("# over", flush=True)
    subprocess.run(["systemctl", "poweroff"])
