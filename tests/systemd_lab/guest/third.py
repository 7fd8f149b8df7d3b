"""After a power cut under work."""

import os
import subprocess

from systemd_lab.guest.lab import UNIT, check, done, prop, ran, say, sh, until
from systemd_lab.guest.second import CUT


def main() -> None:
    back = until(lambda: prop("ActiveState") == "active", UNIT, 120)
    check(back, "the service came back", prop("StatusText"))
    if not back:
        say(
            sh("journalctl", "-b", "-u", "servers", "-u", UNIT, "-o", "short-monotonic", "--no-pager")[1][
                -6000:
            ]
        )
    check(until(lambda: done(CUT), "all jobs end", 90), "after a power cut under work nothing is lost")
    again = [name for name in CUT if sum(word.startswith("begin") for word in ran(name)) > 1]
    check(bool(again), "those under way were begun again", f"{len(again)} of {len(CUT)}")
    os.sync()
    print("# over", flush=True)
    subprocess.run(["systemctl", "--no-block", "start", "poweroff.target"])
