"""`ganger install-units` and `ganger health`, as commands."""

from pathlib import Path

import pytest

from support.command import ganger


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "app").mkdir()
    (tmp_path / "app/ganger.toml").write_text('app = "shop.tasks"\nshutdown_timeout = 60\n')
    return tmp_path


def install(place: Path, *words: str) -> tuple[int, str, str]:
    done = ganger("install-units", "--into", str(place / "units"), *words, cwd=place / "app")
    return done.returncode, done.stdout, done.stderr


def test_it_writes_a_service_and_a_slice(place: Path) -> None:
    code, said, _ = install(place)
    assert code == 0
    text = (place / "units/ganger-shop.service").read_text()
    assert f"WorkingDirectory={place / 'app'}\n" in text
    assert "TimeoutStopSec=75\n" in text  # the settings' own 60, and the time to settle
    assert "run shop.tasks\n" in text
    assert (place / "units/ganger.slice").exists()
    assert "systemctl enable --now ganger-shop" in said
    assert sorted(path.name for path in (place / "units").iterdir()) == [
        "ganger-shop.service",
        "ganger.slice",
    ]


def test_the_same_again_is_no_trouble_and_another_needs_force(place: Path) -> None:
    install(place)
    (place / "units/ganger.slice").write_text("[Slice]\nMemoryMax=2G\n")
    code, said, _ = install(place)
    assert code == 0 and f"kept {place / 'units/ganger.slice'}" in said
    before = (place / "units/ganger-shop.service").read_text()
    code, said, error = install(place, "-w", "9")
    assert code == 1 and "--force" in error and said == ""
    assert (place / "units/ganger-shop.service").read_text() == before
    code, said, _ = install(place, "-w", "9", "--dry-run")
    assert code == 0 and "+ExecStart=" in said and "-ExecStart=" in said
    assert (place / "units/ganger-shop.service").read_text() == before
    assert install(place, "-w", "9", "--force")[0] == 0
    assert "-w 9\n" in (place / "units/ganger-shop.service").read_text()


def test_a_dry_run_writes_nothing(place: Path) -> None:
    code, said, _ = install(place, "--dry-run", "--user")
    assert code == 0 and "ganger-shop.service (new)" in said
    assert not (place / "units").exists()


def test_one_unit_for_every_app(place: Path) -> None:
    code, said, _ = install(place, "--template", "--dynamic-user")
    assert code == 0 and "enable --now ganger@NAME" in said
    text = (place / "units/ganger@.service").read_text()
    assert "-c /etc/ganger/%i.toml" in text and "DynamicUser=yes" in text


@pytest.mark.parametrize("words", [("--template", "shop.tasks"), ("--template", "--user")])
def test_what_makes_no_sense_is_refused(place: Path, words: tuple[str, ...]) -> None:
    code, _, error = install(place, *words)
    assert code == 2 and "--template" in error


def test_which_app(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    code, _, error = install(tmp_path)
    assert code == 2 and "ganger install-units shop.tasks" in error


def test_health_where_nothing_runs(tmp_path: Path) -> None:
    done = ganger("health", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "live: no\nready: no\n  no master runs here\n")
    done = ganger("health", "--ready", "--json", cwd=tmp_path)
    assert done.returncode == 1 and '"reasons":["no master runs here"]' in done.stdout
