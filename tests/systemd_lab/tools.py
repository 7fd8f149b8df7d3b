"""The two programs that make and run the machine: debootstrap and User-Mode Linux.

Taken where they are installed; else from Debian's packages, unpacked beside the disk, so that nothing is
installed on the machine that runs the checks. Used by __main__.py.
"""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

UNPACKED = "tools"


@dataclass(frozen=True, slots=True)
class Tools:
    """`env` is what debootstrap needs beside the usual."""

    debootstrap: str
    kernel: str
    env: dict[str, str]


def provide(cache: Path) -> Tools:
    """Raises OSError and CalledProcessError where there is no apt, or nothing to be had from it."""
    installed = shutil.which("debootstrap"), shutil.which("linux.uml")
    if installed[0] and installed[1]:
        return Tools(installed[0], installed[1], {})
    place = cache / UNPACKED
    if not (place / "usr/bin/linux.uml").exists():
        _unpack(place, ["debootstrap", "user-mode-linux"])
    scripts = {"DEBOOTSTRAP_DIR": str(place / "usr/share/debootstrap")}
    return Tools(str(place / "usr/sbin/debootstrap"), str(place / "usr/bin/linux.uml"), scripts)


def _unpack(place: Path, packages: list[str]) -> None:
    fresh = place.with_name(f"{place.name}.part")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    env = {**os.environ, "LC_ALL": "C"}
    download = ["apt-get", "-qq", "download", *packages]
    if subprocess.run(download, cwd=fresh, env=env, capture_output=True).returncode:
        subprocess.run(["apt-get", "-qq", "update"], env=env, check=True, capture_output=True)
        subprocess.run(download, cwd=fresh, env=env, check=True, capture_output=True)
    for package in fresh.glob("*.deb"):
        subprocess.run(["dpkg", "-x", str(package), str(fresh)], check=True)
        package.unlink()
    fresh.rename(place)
