"""What live hosts announce of their job types, remembered for some seconds; a push by name asks it.

So a misspelt name is a mistake at the push and not a job that nobody can run. Called by the client alone.
"""

import difflib
import warnings
from collections.abc import Mapping
from typing import Any

import msgspec

from ganger.clock import monotonic_s
from ganger.cluster import Cluster
from ganger.errors import GangerError, NodeDown, OutcomeUnknown, UnknownType, UnknownTypeWarning
from ganger.keys import Control
from ganger.operations import control
from ganger.options import Options

FRESH_S = 5.0
_CALLER = 5
"""Frames from the warning up to whoever pushed."""


class AnnouncedTypes:
    """`unknown`: what becomes of a type that nobody announces: refuse, warn or allow."""

    def __init__(self, cluster: Cluster, keys: Control, unknown: str) -> None:
        self._cluster = cluster
        self._keys = keys
        self._unknown = unknown
        self._types: dict[str, Options] = {}
        self._until_s = 0.0

    def options_of(self, type: str) -> Options:
        """As announced; the usual ones for a type that nobody announces. Raises UnknownType."""
        if type not in self._types or monotonic_s() > self._until_s:
            self._refresh(type)
        if self._types and type not in self._types:
            self._miss(type)
        return self._types.get(type, Options())

    def _miss(self, type: str) -> None:
        close = difflib.get_close_matches(type, self._types, n=1)
        hint = f"did you mean {close[0]!r}?" if close else "start one whose app defines it."
        said = f"No live worker serves job type {type!r}: {hint}"
        if self._unknown == "refuse":
            raise UnknownType(said)
        if self._unknown == "warn":
            warnings.warn(said, UnknownTypeWarning, stacklevel=_CALLER)

    def _refresh(self, type: str) -> None:
        try:
            found = control.types(self._cluster, self._keys, deadline_s=3.0)
        except GangerError as error:
            if type in self._types:
                return  # what was known of it a while ago is good enough: the job's own node may well live
            if isinstance(error, OutcomeUnknown):  # of a look, which changes nothing
                raise NodeDown(f"{error} Nothing was pushed.") from error
            raise
        self._types = {name: _options(entry) for name, entry in found.items()}
        self._until_s = monotonic_s() + FRESH_S


def _options(entry: Mapping[str, Any]) -> Options:
    """Options as another host's manifest tells them; one of another version may say what can't be read
    here."""
    try:
        return msgspec.convert(dict(entry), Options)
    except msgspec.ValidationError:
        return Options()
