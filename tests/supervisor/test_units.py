"""The unit files: explained line by line, filled in rightly, and to systemd's own liking."""

import configparser
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from gangerd import units
from support.sources import ROOT

SYSTEMD = ROOT / "systemd"
SERVICE = units.Service(
    name="shop",
    command="/srv/shop/.venv/bin/ganger",
    app="shop.tasks",
    directory="/srv/shop",
    settings="/etc/ganger/shop.toml",
    workers=8,
    account="shop",
    memory_max="6G",
    stop_s=75,
)
MOST_EXPOSURE = 2.0
"""What docs/systemd.md says, of 10, by systemd 252."""
ANALYZE = shutil.which("systemd-analyze")
needs_systemd = pytest.mark.skipif(not ANALYZE, reason="systemd-analyze is not here (package systemd)")


def settings(text: str) -> dict[str, list[str]]:
    """Each key's values, in their order."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if match := units.KEY.fullmatch(line):
            found.setdefault(match[1], []).append(match[2])
    return found


@pytest.mark.parametrize("name", [units.SERVICE, units.TEMPLATE, units.SLICE])
def test_every_setting_is_explained(name: str) -> None:
    explained, head = False, True
    for line in (SYSTEMD / name).read_text().splitlines():
        if line.startswith("["):
            head = line in ("[Unit]", "[Install]")
        explained = line.startswith("#") or (explained and bool(units.KEY.fullmatch(line)))
        is_name = line.startswith(("Description=", "WantedBy=")) and head
        assert explained or is_name or not units.KEY.fullmatch(line), line


def test_the_instances_unit_is_the_service_filled_in() -> None:
    made = units.render((SYSTEMD / units.SERVICE).read_text(), units.an_instance())
    assert (SYSTEMD / units.TEMPLATE).read_text() == made


def test_what_is_marked_is_filled_in() -> None:
    text = units.render(units.original(units.SERVICE), SERVICE)
    found = settings(text)
    assert found["ExecStart"] == ["/srv/shop/.venv/bin/ganger run shop.tasks -w 8 -c /etc/ganger/shop.toml"]
    assert found["WorkingDirectory"] == ["/srv/shop"] and found["User"] == ["shop"]
    assert found["RuntimeDirectory"] == found["StateDirectory"] == ["ganger/shop"]
    assert found["MemoryMax"] == ["6G"] and found["TimeoutStopSec"] == ["75"]
    assert not re.search(r"^# CHANGE", text, flags=re.MULTILINE)
    assert SERVICE.unit == "ganger-shop.service"


def test_no_account_of_its_own() -> None:
    found = settings(units.render(units.original(units.SERVICE), _with(account="")))
    assert found["DynamicUser"] == ["yes"] and "User" not in found


def test_one_of_a_user_has_nothing_that_needs_root() -> None:
    found = settings(units.render(units.original(units.SERVICE), _with(personal=True, account="")))
    assert not units.NOT_FOR_A_USER & found.keys() and "DynamicUser" not in found
    assert found["WantedBy"] == ["default.target"] and found["Delegate"] == ["memory pids"]


def test_an_app_in_a_home_can_be_read() -> None:
    text = units.render(units.original(units.SERVICE), _with(directory="/home/ada/shop"))
    assert settings(text)["ProtectHome"] == ["read-only"]


def test_words_with_a_meaning_for_systemd_are_escaped() -> None:
    service = _with(command='/srv/my "shop"/50%/$HOME/ganger', settings="")
    text = units.render(units.original(units.SERVICE), service)
    assert settings(text)["ExecStart"] == ['"/srv/my \\"shop\\"/50%%/$$HOME/ganger" run shop.tasks -w 8']


def test_bounds_fit_each_other() -> None:
    """A drain fits into its time, and a restart is not the way out of bad settings."""
    found = settings((SYSTEMD / units.SERVICE).read_text())
    assert float(found["TimeoutStopSec"][0]) > 25 + 10
    assert found["RestartPreventExitStatus"] == ["78"] and found["KillMode"] == ["mixed"]


def _with(**changes: object) -> units.Service:
    values = {name: getattr(SERVICE, name) for name in SERVICE.__dataclass_fields__}
    return units.Service(**(values | changes))


# ---- systemd's word


def analyze(place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    assert ANALYZE
    env = {**os.environ, "XDG_RUNTIME_DIR": str(place)}
    return subprocess.run([ANALYZE, *words], capture_output=True, text=True, timeout=60, env=env)


@needs_systemd
@pytest.mark.parametrize("personal", [False, True], ids=["system", "user"])
def test_systemd_has_nothing_to_say(tmp_path: Path, personal: bool) -> None:
    """Its exit code is 0 for a misspelt key: its silence is what counts."""
    command = tmp_path / "ganger"
    command.write_text("#!/bin/sh\n")
    command.chmod(0o755)
    service = _with(command=str(command), account="" if personal else "root", personal=personal)
    unit = tmp_path / service.unit
    unit.write_text(units.render(units.original(units.SERVICE), service))
    (tmp_path / units.SLICE).write_text(units.original(units.SLICE))
    done = analyze(
        tmp_path, "verify", "--user" if personal else "--system", str(unit), str(tmp_path / units.SLICE)
    )
    assert (done.returncode, done.stderr) == (0, "")


@needs_systemd
def test_exposure_is_what_the_docs_say(tmp_path: Path) -> None:
    unit = tmp_path / "ganger.service"
    unit.write_text(units.render(units.original(units.SERVICE), SERVICE))
    done = analyze(tmp_path, "security", "--offline=true", "--no-pager", str(unit))
    level = re.search(r"exposure level for ganger\.service: ([\d.]+)", done.stdout)
    assert level, done.stdout + done.stderr
    assert float(level[1]) <= MOST_EXPOSURE + 0.5
    if "systemd 252" not in analyze(tmp_path, "--version").stdout:
        pytest.skip("a newer systemd weighs otherwise, and knows points that the page does not speak of")
    assert float(level[1]) <= MOST_EXPOSURE
    open_points = re.findall(r"^✗ (\S+?)=?(?:~\S+)?\s", done.stdout, flags=re.MULTILINE)
    page = (ROOT / "docs/systemd.md").read_text()
    assert f"{MOST_EXPOSURE:g}" in page
    assert not [point for point in open_points if point.split("=")[0] not in page]


def test_the_environment_is_an_example_that_can_be_read() -> None:
    """NAME=value lines, secrets of nobody."""
    parser = configparser.ConfigParser()
    parser.read_string("[environment]\n" + (SYSTEMD / units.ENVIRONMENT).read_text())
    assert parser["environment"]["GANGER_REDIS"].startswith("redis://user:password@")
