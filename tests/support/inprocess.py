"""The command `ganger` in the test's own process: hundreds of calls in the time of a few real ones."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from gangerd.cli import entry

CODES = (0, 1, 2, 78)


def command(words: Sequence[str], cwd: Path, env: Mapping[str, str]) -> tuple[Any, str]:
    """(exit code, all that it said) of one call."""
    before, argv = Path.cwd(), sys.argv
    os.chdir(cwd)
    sys.argv = ["ganger", *words]
    try:
        with CliRunner().isolation(env=dict(env)) as (*_, out):
            try:
                entry.run()
            except SystemExit as leaving:
                code = leaving.code
            sys.stdout.flush()
            sys.stderr.flush()
            return code, out.getvalue().decode("utf-8", "replace")
    finally:
        sys.argv = argv
        os.chdir(before)


def check_command(words: Sequence[str], cwd: Path, env: Mapping[str, str]) -> str:
    """It must end with one of the documented codes and never call itself broken: what it means by that is
    raised here."""
    code, said = command(words, cwd, env)
    if "mistake in ganger" in said:
        command(words, cwd, {**env, "GANGER_TRACEBACK": "1"})
    assert code in CODES, (code, said)
    assert "mistake in ganger" not in said and "Traceback" not in said, said
    return said
