"""Which ganger, and which server, a chaos run was of: for run.py to keep, and for judging.py to report."""

import re
import subprocess
from importlib.metadata import version
from pathlib import Path

from support.server import binary_path

CHECKOUT = Path(__file__).parents[2]


def of_ganger() -> str:
    """Its version; and its commit, where git knows it."""
    number = version("ganger")
    if not (CHECKOUT / ".git").exists():
        return number
    words = ("git", "--no-optional-locks", "describe", "--always", "--tags", "--dirty")
    try:
        commit = subprocess.run(words, cwd=CHECKOUT, capture_output=True, text=True).stdout.strip()
    except OSError:
        return number
    return f"{number} ({commit})" if commit else number


def of_server(binary: str) -> str:
    """Such as Valkey 9.1.2."""
    words = (str(binary_path(binary)), "--version")
    text = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    found = re.match(r"(\w+) server v=(\S+)", text)
    return " ".join(found.groups()) if found else text.strip()
