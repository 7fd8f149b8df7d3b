"""Write requirements.lock: every package ganger needs, one version each, with the hashes of its wheels.

Asks pip itself what it would install for each supported Python and processor, and merges the answers.
Leaves installing to the Makefile. Run by `make lock`, when a dependency in pyproject.toml changes.
"""

import json
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
PROCESSORS = ("x86_64", "aarch64")
GLIBCS = ("manylinux_2_28", "manylinux_2_27", "manylinux_2_26", "manylinux_2_17", "manylinux2014")

# What an editable install of ganger itself takes: built without isolation, so that this too is pinned.
BUILD = ("hatchling", "editables")

# pip weighs markers by the Python that runs it: what redis wants before 3.11.3 (Debian 12 has 3.11.2) must be
# asked for by name. Elsewhere it is installed and never imported.
EARLY = ("async-timeout>=4.0.3",)

HEAD = """\
# Written by `make lock`; do not edit. Everything ganger needs to run, to be tested and to be built,
# for Python 3.11 to 3.14 on x86-64 and arm64 with glibc. pip refuses a file whose hash is not here.
"""


def wanted() -> list[str]:
    """The direct requirements named in pyproject.toml, with those of the extras, of the build and of an
    early 3.11."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = [*project["dependencies"], *BUILD, *EARLY]
    for extra in project["optional-dependencies"].values():
        named += [requirement for requirement in extra if not requirement.startswith("ganger[")]
    return named


def resolve(python: str, processor: str, requirements: list[str]) -> dict[str, tuple[str, str]]:
    """Name -> (version, sha256) of what pip would install there. Raises CalledProcessError."""
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch, "report.json")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed"]
        command += ["--report", str(report), "--target", scratch, "--only-binary", ":all:"]
        command += ["--python-version", python, "--implementation", "cp"]
        command += [word for glibc in GLIBCS for word in ("--platform", f"{glibc}_{processor}")]
        subprocess.run([*command, *requirements], check=True)
        found = json.loads(report.read_text())["install"]
    return {
        each["metadata"]["name"].lower().replace("_", "-"): (
            each["metadata"]["version"],
            each["download_info"]["archive_info"]["hashes"]["sha256"],
        )
        for each in found
    }


def merge(answers: list[dict[str, tuple[str, str]]]) -> dict[tuple[str, str], set[str]]:
    """(name, version) -> hashes. Raises SystemExit where two Pythons need different versions."""
    merged: dict[tuple[str, str], set[str]] = {}
    for answer in answers:
        for name, (version, digest) in answer.items():
            merged.setdefault((name, version), set()).add(digest)
    names = [name for name, _ in merged]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SystemExit(f"no single version serves every Python: {', '.join(twice)}")
    return merged


def main() -> None:
    requirements = wanted()
    merged = merge([resolve(python, cpu, requirements) for python in PYTHONS for cpu in PROCESSORS])
    lines = [HEAD]
    for (name, version), hashes in sorted(merged.items()):
        pins = "".join(f" \\\n    --hash=sha256:{digest}" for digest in sorted(hashes))
        lines.append(f"{name}=={version}{pins}\n")
    LOCK.write_text("".join(lines))
    print(f"{LOCK.name}: {len(merged)} packages")


if __name__ == "__main__":
    main()
