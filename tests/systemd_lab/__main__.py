"""`make test-systemd`: what only a real systemd and a real cgroup v2 can show, in a machine made for it.

Makes the disk (once), starts the machine, lets it run the stages of guest/ and prints their checks as TAP.
Needs root and Debian or Ubuntu on x86-64; says so where something is missing, and skips. GANGER_LAB: the
directory that keeps the disk and the tools (half a gigabyte).
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from systemd_lab.image import ROOT, disk
from systemd_lab.machine import Machine
from systemd_lab.tools import provide

CACHE = Path(os.environ.get("GANGER_LAB", "/var/tmp/ganger-systemd-lab"))
MIRROR = os.environ.get("GANGER_LAB_MIRROR", "http://deb.debian.org/debian/")
TIMEOUT_S = 600.0
QUIET_S = 200.0
"""How long the machine may say nothing: more than any one check waits."""
START = "cd /host && exec /usr/bin/python3 -u -m systemd_lab.guest.run\n"


def missing() -> str:
    """Why the checks can't be run here; "" when they can."""
    if os.geteuid():
        return "the disk can only be made by root"
    if os.uname().machine != "x86_64":
        return f"user-mode-linux is not there for {os.uname().machine}"
    needed = ("apt-get", "dpkg", "wget", "mke2fs", "chroot")
    lacking = [command for command in needed if not shutil.which(command)]
    return f"{', '.join(lacking)} can't be found here" if lacking else ""


def share(scratch: Path) -> Path:
    """What the machine finds as /host: the package under test, the checks, and room for what they say."""
    made = scratch / "host"
    made.mkdir()
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "-w", str(made), str(ROOT)], check=True)
    shutil.copytree(Path(__file__).parent / "guest", made / "systemd_lab/guest")
    (made / "start").write_text(START)
    (made / "stage").write_text("first")
    (made / "out").touch()
    return made


def lines(machine: Machine, out: Path) -> Iterator[str]:
    """What the machine says, as it says it, until it is off, says nothing for too long, or time is up."""
    began_s = heard_s = time.monotonic()
    part = ""
    with out.open() as file:
        while True:
            off = not machine.is_on
            text = file.read()
            *whole, part = (part + text).split("\n")
            yield from whole
            now_s = time.monotonic()
            heard_s = now_s if text else heard_s
            if off:
                return
            if now_s - heard_s > QUIET_S or now_s - began_s > TIMEOUT_S:
                yield f"not ok - the machine finishes # silent for {now_s - heard_s:.0f} s"
                return
            time.sleep(0.1)


def run(machine: Machine, out: Path) -> int:
    """Every stage; how many checks failed, or 1 where none was reached."""
    count = failed = 0
    over = False
    machine.power_on()
    for line in lines(machine, out):
        if line.startswith(("ok - ", "not ok - ")):
            count += 1
            failed += line.startswith("not")
            line = line.replace("ok - ", f"ok {count} - ", 1)
        print(line, flush=True)
        over = over or line == "# over"
        if line == "# cut the power":
            machine.cut_power()
            machine.power_on()
    print(f"1..{count}")
    if not over:
        print("# the last stage was not reached; the machine's console ends with:")
        for line in machine.console.read_text(errors="replace").splitlines()[-15:]:
            print(f"#   {line}")
    print(f"# {count - failed} passed, {failed} failed")
    return failed if over else max(failed, 1)


def main() -> int:
    if reason := missing():
        print(f"1..0 # SKIP {reason}")
        return 0
    CACHE.mkdir(parents=True, exist_ok=True)
    began_s = time.monotonic()
    tools = provide(CACHE)
    image = disk(CACHE, MIRROR, tools)
    print(f"# disk: {image} ({time.monotonic() - began_s:.0f} s)", flush=True)
    with tempfile.TemporaryDirectory(prefix="run-", dir=CACHE) as name:
        scratch = Path(name)
        made = share(scratch)
        machine = Machine(tools.kernel, image, made, scratch)
        try:
            failed = run(machine, made / "out")
        finally:
            machine.cut_power()
    print(f"# {time.monotonic() - began_s:.0f} s in all")
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
