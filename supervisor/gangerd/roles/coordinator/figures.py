"""Figures."""

from gangerd.config import Config
from gangerd.messages import Death
from gangerd.page import Page
from gangerd.roles.coordinator.counters import Deltas


class Figures:
    def __init__(self, config: Config, fresh: bool) -> None:
        self._deltas = Deltas(fresh=fresh)

    def beat(self, pages: list[Page], rows: list[dict[str, object]]) -> None: ...

    def death(self, death: Death) -> None: ...

    def fate(self, death: Death, fate: str) -> None: ...

    def leases_lost(self, count: int) -> None: ...

    def close(self, pages: list[Page]) -> None: ...
