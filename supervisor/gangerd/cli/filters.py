"""The options that choose jobs, shared by the commands that are about dead, scheduled and retrying ones."""

import functools
import re
import time
from collections.abc import Callable, Sequence
from typing import Any

import click

from gangerd.cli import times
from gangerd.errors import Usage

QUEUE = click.option("--queue", help="Of this queue alone.")
TYPE = click.option("--type", help="Of this job type alone.")
CAUSE = click.option("--cause", help="Whose last failure was this: exception, timeout, segfault ...")
ERROR = click.option("--error", help="Whose last exception's class or message holds this text.")
SINCE = click.option("--since", metavar="T", help="Buried since T: an instant, or 5m, 2h, 3d ago.")
UNTIL = click.option("--until", metavar="T", help="Buried before or at T.")
WITHIN = click.option("--within", metavar="TIME", help="Due within so long from now: 90s, 5m, 2h.")
_NAMES = ("queue", "type", "cause", "error", "since", "until", "within")


def filtered(*options: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A command with these options, handed on to it as one `wanted`."""

    def around(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def chosen(**given: Any) -> Any:
            from ganger.listing import JobFilter

            picked = {name: given.pop(name) for name in _NAMES if name in given}
            now_ms = int(time.time() * 1000)
            for name in ("since", "until"):
                text = picked.pop(name, None)
                if text is not None:
                    picked[f"{name}_ms"] = times.past_ms(f"--{name}", text, now_ms)
            check_cause(picked.get("cause"))
            within = picked.pop("within", None)
            if within is not None:
                picked["until_ms"] = now_ms + int(times.span_s("--within", within) * 1000)
            return command(wanted=JobFilter(**picked), **given)

        return stacked(options)(chosen)

    return around


def check_cause(cause: str | None) -> None:
    """Usage for a word that no failure bears, which would look as if nothing had failed so."""
    from ganger.retry import CAUSES

    if cause is not None and cause not in CAUSES and not re.fullmatch(r"signal_\d+", cause):
        raise Usage(f"--cause must be one of {', '.join(CAUSES)}, or signal_N, not {cause!r}.")


def stacked(options: Sequence[Callable[..., Any]]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Several options as one decorator, in this order in the help."""
    return lambda command: functools.reduce(lambda made, option: option(made), reversed(options), command)
