"""The first stage: install it as the runbook says, then what a service goes through, up to a reboot under
work."""

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from systemd_lab.guest import dynamic, reloading
from systemd_lab.guest.lab import (
    DONE,
    SHUTDOWN_S,
    UNIT,
    WATCHDOG_S,
    begun,
    check,
    document,
    ended,
    ganger,
    journal,
    leaves,
    logged,
    prop,
    push,
    push_many,
    ran,
    say,
    settings,
    sh,
    show,
    took,
    until,
)

HEALTH = "/run/ganger/lab/health.sock"
UNITS = Path("/etc/systemd/system")
SERVERS = """\
[Unit]
Description=A Redis Cluster for the checks
[Service]
ExecStart=/srv/lab/.venv/bin/ganger embedded --dir /var/lib/servers
StateDirectory=servers
Restart=always
[Install]
WantedBy=multi-user.target
"""
SETTINGS = f"""\
app = "lab_jobs"
workers = 2
memory_max = "64M"
shutdown_timeout = {SHUTDOWN_S}
log_format = "json"
run_dir = "/run/ganger/lab"
health = "unix:{HEALTH}"
"""


def main() -> None:
    install()
    start()
    memory()
    children()
    stopped_master()
    no_redis()
    drain()
    reloading.main()
    bad_settings()
    dynamic.main()
    reboot()


def install() -> None:
    wheel = next(Path("/host").glob("ganger-*.whl"))
    pip = ["/srv/lab/.venv/bin/python", "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    code, said = sh(*pip, "--no-deps", "--no-index", str(wheel))
    check(code == 0, "the package installs", said)
    shutil.copy("/host/systemd_lab/guest/lab_jobs.py", "/srv/lab")
    UNITS.joinpath("servers.service").write_text(SERVERS)
    sh("systemctl", "daemon-reload")
    sh("systemctl", "enable", "--now", "servers")
    until(settings, "the servers say where they are")
    sh("useradd", "--system", "--shell", "/usr/sbin/nologin", "ganger")
    Path("/etc/ganger").mkdir(exist_ok=True)
    Path("/etc/ganger/lab.toml").write_text(SETTINGS)
    secrets = Path("/etc/ganger/lab.env")
    secrets.touch(mode=0o600)
    secrets.write_text("".join(f"{name}={value}\n" for name, value in settings().items()))
    code, said = ganger("install-units", "--template")
    check(code == 0, "ganger install-units writes the units", said.splitlines()[-1])
    code, said = sh("systemd-analyze", "verify", f"{UNIT}.service", "ganger.slice")
    check(code == 0 and not said, "systemd-analyze verify has nothing to say", said)
    faster = UNITS / f"{UNIT}.service.d"
    faster.mkdir()
    faster.joinpath("lab.conf").write_text(
        f"[Service]\nWatchdogSec={WATCHDOG_S}\nMemoryMax=400M\nTimeoutStopSec=3\n"
    )
    sh("systemctl", "daemon-reload")


def start() -> None:
    code, seconds, said = took("systemctl", "enable", "--now", UNIT)
    shown = show("ActiveState", "MainPID", "StatusText", "ControlGroup")
    ready = logged("worker.ready")
    check(code == 0 and shown["ActiveState"] == "active", "it starts", f"{seconds:.1f} s {said}")
    check(bool(ready), "READY comes when a first worker can take a job, and not before", shown["StatusText"])
    status = Path(f"/proc/{shown['MainPID']}/status").read_text()
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    check(fields["Uid"].split()[0] != "0", "it runs without root", fields["Uid"])
    check(fields["CapPrm"] == fields["CapBnd"] == "0" * 16, "and without any capability")
    check(fields["NoNewPrivs"] == "1", "no_new_privs is set", f"seccomp {fields.get('Seccomp', 'none')}")
    fence = logged("master.fence_chosen")
    check(bool(fence) and fence[-1]["kind"] == "cgroup2", "it divides its cgroup (v2)", fence[-1:])
    until(lambda: len(leaves()) == 3, "a leaf for each worker and the one that stands by", 20)
    limits = [(leaf / "memory.max").read_text().strip() for leaf in leaves()]
    check(bool(limits) and set(limits) == {str(64 << 20)}, "each worker has a leaf with a limit", limits)
    groups = [(leaf / "memory.oom.group").read_text().strip() for leaf in leaves()]
    check(bool(groups) and set(groups) == {"1"}, "the kernel ends a leaf as a whole", groups)
    until(lambda: "2 of 2 workers" in prop("StatusText"), "the line of status is kept up")
    check(
        "2 of 2 workers, 0 busy" in prop("StatusText"), "systemctl status shows figures", prop("StatusText")
    )
    push("work", "a")
    check(ended("a"), "a job is run", ran("a"))
    code, said = ganger("health", "-c", "/etc/ganger/lab.toml")
    check(code == 0, "ganger health says that it is well", said)
    check(probe("/live") == probe("/ready") == 200, "and so do the probes")


def probe(path: str) -> int:
    """The status with which the endpoint answers."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
        caller.settimeout(10)
        caller.connect(HEALTH)
        caller.sendall(f"GET {path} HTTP/1.1\r\n\r\n".encode())
        return int(caller.recv(4096).split()[1])


def memory() -> None:
    """The kernel ends one worker: the job is told, the sibling and the service go on."""
    master = prop("MainPID")
    push("work", "sibling", 4)
    begun("sibling")
    jid = push("hog", "leak", 200)
    check(until(lambda: document("crashes"), "the death is recorded"), "a job that leaks is ended")
    crash = document("crashes")[0]
    check(crash["cause"] == "oom_kill" and crash["jid"] == jid, "by its leaf's limit, and is named", crash)
    check(ended("sibling") and ran("sibling") == ["begin1", "end1"], "its sibling does not notice")
    shown = show("ActiveState", "MainPID", "NRestarts", "Result")
    check(shown["MainPID"] == master and shown["ActiveState"] == "active", "the service stays", shown)
    check(any("OOM" in line for line in journal("-b")), "systemd has seen the kill too")
    push("forks_a_hog", "forked", 200)
    check(until(lambda: len(document("crashes")) == 2, "a second death"), "a job whose child leaks is ended")
    check(document("crashes")[0]["cause"] == "oom_kill", "with its child, as one", document("crashes")[0])
    push("capped", "capped", 48)
    check(until(lambda: len(document("crashes")) == 3, "a third"), "a type's own limit holds below that")
    crash = document("crashes")[0]
    check(crash["cause"] == "oom_kill", "it is the kernel's limit while the job runs", crash)
    check("allowed 24 MB" in " ".join(crash["evidence"]), "and is named", crash["evidence"])
    push("capped", "fits", 8)
    check(ended("fits"), "what fits is run")


def children() -> None:
    """What a job leaves behind goes with its worker."""
    push("leaves_a_child", "parent")
    begun("parent")
    until(lambda: ran("parent")[0].isdigit(), "its child's pid")
    child = Path("/proc") / ran("parent")[0]
    check(child.exists(), "a job has left a child behind")
    took("systemctl", "restart", UNIT)
    check(not child.exists(), "it ends with its worker")
    check(bool(logged("worker.leftovers")), "and is reported", logged("worker.leftovers")[-1:])
    left = until(lambda: len(leaves()) == 3, "as many leaves as workers")
    check(left, "no leaf of a worker that is gone stays", leaves())


def stopped_master() -> None:
    """A master that does nothing: the watchdog ends it, its successor runs its job again."""
    restarts, master = int(prop("NRestarts")), int(prop("MainPID"))
    push("work", "orphan", 2 * WATCHDOG_S)
    begun("orphan")
    os.kill(master, signal.SIGSTOP)
    begun_s = time.monotonic()
    back = until(
        lambda: int(prop("NRestarts")) == restarts + 1 and prop("ActiveState") == "active", "restart"
    )
    check(back, "a stopped master is restarted by the watchdog", f"{time.monotonic() - begun_s:.1f} s")
    timed = sh("journalctl", "-b", "-u", UNIT, "-o", "short-monotonic", "--no-pager")[1].splitlines()
    telling = ("atchdog", "SIGABRT", "Fatal", "exited", "Started")
    say("\n".join(line[:120] for line in timed[-60:] if any(word in line for word in telling)))
    lines = [line for line in journal("-b") if "atchdog" in line or "Fatal Python error" in line]
    check(any("atchdog" in line for line in lines), "systemd says so", lines)
    check(any("Fatal" in line for line in lines), "and the journal has the master's stack")
    check(ended("orphan") and ran("orphan")[1:] == ["begin1", "end1"], "its job is run again", ran("orphan"))
    check(bool(logged("master.predecessor_found")), "from the pages it left, not after a lease")


def no_redis() -> None:
    """Longer than the watchdog waits."""
    before = show("MainPID", "NRestarts")
    sh("systemctl", "stop", "servers")
    time.sleep(2.5 * WATCHDOG_S)
    check((probe("/live"), probe("/ready")) == (503, 200), "without Redis it is ready and not live")
    after = show("MainPID", "NRestarts")
    check(after == before, "an outage of Redis trips no watchdog", prop("StatusText"))
    sh("systemctl", "start", "servers")
    until(lambda: document("status"), "the servers are back")
    push("work", "after the outage")
    check(ended("after the outage"), "and jobs are run when it is over")


def drain() -> None:
    push("work", "short", 2)
    begun("short")
    code, seconds, said = took("systemctl", "stop", UNIT)
    check(
        code == 0 and ran("short") == ["begin1", "end1"], "TERM lets a job finish", f"{seconds:.1f} s {said}"
    )
    check(prop("Result") == "success", "the drain is a success", show("Result", "ExecMainStatus"))
    check(ganger("health", "-c", "/etc/ganger/lab.toml")[0] == 1, "and ganger health says that nothing runs")
    sh("systemctl", "start", UNIT)
    push("work", "long", 20)
    begun("long")
    push_many([f"waits{number}" for number in range(4)], 0)
    code, seconds, said = took("systemctl", "stop", UNIT)
    check(
        SHUTDOWN_S <= seconds < 40,
        "a long job is ended at its limit, beyond TimeoutStopSec",
        f"{seconds:.1f} s",
    )
    check(prop("Result") == "success", "which is a success as well", show("Result", "ExecMainStatus"))
    sh("systemctl", "start", UNIT)
    check(until(lambda: "end1" in ran("long"), "it ends"), "it is run again, no attempt used", ran("long"))
    check(all(ended(f"waits{number}") for number in range(4)), "and what waited is run")


def bad_settings() -> None:
    """Exit code 78 is not tried again."""
    sh("systemctl", "stop", UNIT)
    sh("systemctl", "reset-failed", UNIT)
    path = Path("/etc/ganger/lab.toml")
    path.write_text(SETTINGS + "workers_ = 3\n")
    code, _, _ = took("systemctl", "start", UNIT)
    shown = show("Result", "ExecMainStatus", "NRestarts", "ActiveState")
    check(code != 0 and shown["ExecMainStatus"] == "78", "bad settings fail the start", shown)
    check(shown["ActiveState"] == "failed", "and no restart is tried", shown)
    path.write_text(SETTINGS)
    sh("systemctl", "reset-failed", UNIT)
    code, _, said = took("systemctl", "start", UNIT)
    check(code == 0, "mended, it starts", said)


def reboot() -> None:
    push_many([f"reboot{number}" for number in range(30)], 0.5)
    until(lambda: sum(bool(ran(f"reboot{number}")) for number in range(30)) > 4, "some have begun")
    Path("/host/stage").write_text("second")
    (DONE / "boot").write_text(Path("/proc/sys/kernel/random/boot_id").read_text())
    print("# reboot, with jobs under way", flush=True)
    subprocess.run(["systemctl", "--no-block", "start", "reboot.target"])
