"""How long runs of each type take on this worker: what a claim's budget is counted in.

PURE. A claim may fetch as many jobs as are expected to run within its budget; a type never seen counts as the
whole budget, so the first of its kind is fetched alone (a batch of sixteen jobs of unknown length may be
sixteen hours). Exponentially weighted, quick upwards: one slow run must shrink the next batch at once.
"""

_UP, _DOWN = 0.5, 0.1
_KNOWN = 64
"""Types remembered, the latest used: the table travels with each claim."""


class Costs:
    def __init__(self) -> None:
        self._us: dict[str, float] = {}
        self._table: dict[str, int] = {}

    def ran(self, job_type: str, ran_us: float) -> None:
        """A run of this type took so many microseconds."""
        known = self._us.get(job_type)
        if known is None:
            self._us[job_type] = ran_us
            while len(self._us) > _KNOWN:
                del self._us[next(iter(self._us))]
            self._table = {}
            return
        self._us[job_type] = known + (ran_us - known) * (_UP if ran_us > known else _DOWN)

    def table(self) -> dict[str, int]:
        """Type -> expected microseconds, at least 1. The same object until a figure has moved by a quarter,
        so that the caller may keep what it made of it."""
        table = self._table
        if len(table) != len(self._us) or any(
            not 0.8 <= us / table[job_type] <= 1.25 for job_type, us in self._us.items() if us > 4
        ):
            self._table = table = {job_type: max(1, int(us)) for job_type, us in self._us.items()}
        return table
