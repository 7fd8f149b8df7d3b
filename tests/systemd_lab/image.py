"""The disk of the machine that the checks run in: Debian's systemd and Python, made from Debian's packages.

Made once and kept: what is in it decides its name. ganger itself is not on it, only what it needs; the
package under test is installed by the machine, after it has started. Root is needed (debootstrap makes device
nodes and runs the packages' scripts in a chroot). Used by __main__.py.
"""

import hashlib
import os
import shutil
import subprocess
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from systemd_lab.tools import Tools

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "requirements.lock"
SUITE = "bookworm"
"""Debian 12: systemd 252, the oldest that the units are written for."""
PACKAGES = ("systemd", "systemd-sysv", "python3", "python3-venv", "procps", "iproute2")
DISK_BYTES = 1500 << 20
VENV = "/srv/lab/.venv"
"""For the instance ganger@lab."""

# Devices, logins, clocks and file systems that this machine has none of: each costs seconds at its start.
MASKED = (
    "systemd-udevd.service",
    "systemd-udev-trigger.service",
    "systemd-udevd-kernel.socket",
    "systemd-udevd-control.socket",
    "systemd-hwdb-update.service",
    "systemd-logind.service",
    "systemd-binfmt.service",
    "proc-sys-fs-binfmt_misc.automount",
    "systemd-random-seed.service",
    "systemd-update-utmp.service",
    "systemd-update-utmp-runlevel.service",
    "systemd-modules-load.service",
    "sys-kernel-config.mount",
    "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount",
    "sys-fs-fuse-connections.mount",
    "dev-hugepages.mount",
    "systemd-journal-catalog-update.service",
    "systemd-firstboot.service",
    "systemd-sysusers.service",
    "systemd-timesyncd.service",
    "systemd-pstore.service",
    "systemd-machine-id-commit.service",
    "systemd-initctl.socket",
    "e2scrub_reap.service",
    "e2scrub_all.timer",
    "kmod-static-nodes.service",
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "dpkg-db-backup.timer",
    "getty@tty1.service",
    "console-getty.service",
    "systemd-user-sessions.service",
)

CHECKS = """\
[Unit]
Description=What the host left in /host/stage
After=multi-user.target
RequiresMountsFor=/host
[Service]
Type=exec
ExecStart=/bin/sh /host/start
WorkingDirectory=/host
StandardOutput=append:/host/out
StandardError=append:/host/out
TimeoutStopSec=5
OOMScoreAdjust=-900
[Install]
WantedBy=default.target
"""


def disk(cache: Path, mirror: str, tools: Tools) -> Path:
    """The file system image, from the cache or made now. Raises CalledProcessError, and OSError."""
    wanted = repr((SUITE, PACKAGES, MASKED, CHECKS, VENV, LOCK.read_text())).encode()
    image = cache / f"{SUITE}-{hashlib.sha256(wanted).hexdigest()[:12]}.img"
    if image.exists():
        return image
    tree = cache / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    _logged(
        [tools.debootstrap, "--variant=minbase", f"--include={','.join(PACKAGES)}", SUITE, str(tree), mirror],
        cache / "debootstrap.log",
        tools.env,
    )
    _settle(tree)
    _install_requirements(tree, cache)
    part = image.with_suffix(".part")
    part.unlink(missing_ok=True)
    _logged(
        ["mke2fs", "-q", "-t", "ext4", "-m", "0", "-d", str(tree), str(part), f"{DISK_BYTES >> 10}k"],
        cache / "mke2fs.log",
    )
    part.rename(image)
    shutil.rmtree(tree)
    return image


def _settle(tree: Path) -> None:
    """What an installer would write: names, mounts, the unit that runs the checks."""
    etc = tree / "etc"
    (tree / "host").mkdir()
    (etc / "fstab").write_text("none /host hostfs defaults 0 0\n")
    (etc / "hostname").write_text("lab\n")
    (etc / "hosts").write_text("127.0.0.1 localhost lab\n")
    (etc / "machine-id").write_text("")
    (etc / "resolv.conf").unlink(missing_ok=True)
    units = etc / "systemd/system"
    for name in MASKED:
        (units / name).unlink(missing_ok=True)
        (units / name).symlink_to("/dev/null")
    for generator in (tree / "lib/systemd/system-generators").iterdir():
        if generator.name != "systemd-fstab-generator":
            generator.unlink()
    (units / "checks.service").write_text(CHECKS)
    (units / "default.target").symlink_to("/lib/systemd/system/multi-user.target")
    wants = units / "default.target.wants"
    wants.mkdir(exist_ok=True)
    (wants / "checks.service").symlink_to("../checks.service")
    journal = etc / "systemd/journald.conf.d"
    journal.mkdir()
    # On disk: the second start asks what the first one ended with.
    (journal / "lab.conf").write_text("[Journal]\nStorage=persistent\nRateLimitBurst=0\n")
    for heavy in ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/man", "usr/share/locale"):
        shutil.rmtree(tree / heavy, ignore_errors=True)


def _install_requirements(tree: Path, cache: Path) -> None:
    """A virtual environment as the runbook makes one, with the locked versions of what ganger needs."""
    wheels = tree / "wheels"
    download = [str(ROOT / ".venv/bin/python"), "-m", "pip", "download", "--quiet", "--no-deps"]
    download += ["--require-hashes", "-r", str(LOCK), "-d", str(wheels), "--only-binary", ":all:"]
    download += ["--python-version", "3.11", "--implementation", "cp"]
    for tag in ("manylinux_2_28", "manylinux_2_17", "manylinux2014"):
        download += ["--platform", f"{tag}_{os.uname().machine}"]
    _logged(download, cache / "pip-download.log")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needs = [*project["dependencies"], *project["optional-dependencies"]["embedded"]]
    inside = ["chroot", str(tree)]
    _logged([*inside, "/usr/bin/python3", "-m", "venv", VENV], cache / "venv.log")
    pip = [*inside, f"{VENV}/bin/pip", "--quiet", "--disable-pip-version-check", "install"]
    _logged([*pip, "--no-index", "--find-links", "/wheels", *needs], cache / "pip-install.log")
    shutil.rmtree(wheels)


def _logged(command: Sequence[str], log: Path, more: Mapping[str, str] = MappingProxyType({})) -> None:
    env = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive", **more}
    with log.open("wb") as file:
        try:
            subprocess.run(command, check=True, stdout=file, stderr=file, env=env)
        except subprocess.CalledProcessError as error:
            error.add_note(f"it wrote {log}")
            raise
