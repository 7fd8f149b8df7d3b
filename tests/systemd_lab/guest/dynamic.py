"""A second instance beside the first, with an account that systemd makes up for it."""

from pathlib import Path

from systemd_lab.guest.lab import check, ganger, sh, show, took

NAME = "dyn"
UNIT = f"ganger@{NAME}"
ACCOUNT = "[Service]\nUser=\nDynamicUser=yes\nMemoryMax=300M\n"


def main() -> None:
    etc = Path("/etc/ganger")
    Path("/srv", NAME).symlink_to("/srv/lab")
    text = (etc / "lab.toml").read_text().replace("/run/ganger/lab", f"/run/ganger/{NAME}")
    (etc / f"{NAME}.toml").write_text(f'host = "{NAME}"\n{text}')
    (etc / f"{NAME}.env").write_text((etc / "lab.env").read_text())
    drop_in = Path(f"/etc/systemd/system/{UNIT}.service.d/account.conf")
    drop_in.parent.mkdir()
    drop_in.write_text(ACCOUNT)
    sh("systemctl", "daemon-reload")
    code, seconds, said = took("systemctl", "start", UNIT)
    shown = show("ActiveState", "StatusText", "MainPID", "ControlGroup", unit=UNIT)
    check(code == 0, "a second instance, with DynamicUser, starts beside", f"{seconds:.1f} s {said} {shown}")
    code, said = ganger("health", "-c", f"/etc/ganger/{NAME}.toml")
    check(code == 0, "it is well", said)
    inside = Path("/sys/fs/cgroup", shown["ControlGroup"].lstrip("/"))
    check(bool(list(inside.glob("ganger-*"))), "and divides its cgroup too")
    code, seconds, said = took("systemctl", "stop", UNIT)
    check(
        code == 0 and show("Result", unit=UNIT)["Result"] == "success", "it stops", f"{seconds:.1f} s {said}"
    )
