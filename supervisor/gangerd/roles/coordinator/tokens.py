"""The tokens of a pass: what the rates of its limits let begin, taken for a few jobs at once, since each
would cost a trip of its own; what is not used goes back.

A job begins within START_MS of its token's being taken, or it does not begin by it. So of a sliding window so
much more is asked for than the limit says, and in no period more begin than it allows. grants.py calls, on
the warden's thread.

Crash points. Between taking and laying out the pass, or with it: tokens that were not used count as used.
After a refund whose reply is lost nothing is repeated.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from ganger.clock import boottime_s
from ganger.errors import QuorumLost
from ganger.limiting import semaphore_name
from ganger.throttle.quorum import Refused
from ganger.throttle.rate import Taken, Tap
from ganger.throttle.servers import Servers
from ganger.throttle.shares import Rate, parse_rate
from gangerd.config import Limit

START_MS = 100
LEAST_START_MS = 20
AHEAD_MS = 50
"""A pass has about as many as the rate lets through in this time."""
MOST = 64
WORTH_MS = 10
"""A token that came so late that less is left is given back."""
_MOST_TAPS = 4096

_Rules = Mapping[str, Limit]


@dataclass(slots=True)
class Tokens:
    """So many of each rate; `until_ns`: when jobs must have begun by them."""

    uses: int
    until_ns: int
    taken: dict[str, tuple[Tap, Taken]] = field(default_factory=dict)
    rates: dict[str, tuple[str, int]] = field(default_factory=dict)

    def meet(self, rules: _Rules) -> bool:
        """Whether they are of the rates that these rules have."""
        return self.rates == {name: (limit.rate, limit.burst) for name, limit in _rated(rules)}


class Rates:
    """The rates of limits, on these servers."""

    def __init__(self, servers: Servers, namespace: str) -> None:
        self._servers = servers
        self._namespace = namespace
        self._taps: dict[tuple[str, str, int], Tap] = {}

    def dry(self, rules: _Rules) -> Refused | None:
        """A refusal that is known without asking."""
        waits_s = [(self._tap(name, limit).dry_s(), name) for name, limit in _rated(rules)]
        longest_s, name = max(waits_s, default=(0.0, ""))
        return Refused("rate", longest_s * 1000, name=name) if longest_s > 0 else None

    def take(self, rules: _Rules) -> Tokens | Refused | None:
        """Tokens of each rate, as many as it is worth while to have, or fewer; None where there is no rate. A
        refusal leaves nothing taken."""
        rated = _rated(rules)
        if not rated:
            return None
        most = min(
            (min(ahead(rate_of(limit)), self._tap(name, limit).most) for name, limit in rated), default=1
        )
        outcome: Tokens | Refused = Refused("rate")
        for count in sorted({most, max(1, most // 4), 1}, reverse=True):
            outcome = self._take(rated, count)
            if isinstance(outcome, Tokens) or outcome.why != "rate":
                break
        return outcome

    def refund(self, tokens: Tokens, count: int) -> None:
        """So many of each were not used."""
        if count > 0:
            for tap, taken in tokens.taken.values():
                tap.refund(taken, min(count, taken.count))

    # ---- inside ------------------------------------------------------------------------------------------

    def _take(self, rated: Iterable[tuple[str, Limit]], count: int) -> Tokens | Refused:
        tokens = Tokens(count, 1 << 62)
        for name, limit in rated:
            tap = self._tap(name, limit)
            outcome: Taken | float | Refused
            try:
                outcome = tap.take(count)
            except QuorumLost:
                outcome = Refused("quorum")
            if isinstance(outcome, Taken):
                until_s = outcome.asked_s + start_ms(rate_of(limit)) / 1000
                tokens.until_ns = min(tokens.until_ns, int(until_s * 1e9))
                tokens.taken[name] = tap, outcome
                tokens.rates[name] = limit.rate, limit.burst
                continue
            self.refund(tokens, count)
            return Refused("rate", outcome * 1000, name=name) if isinstance(outcome, float) else outcome
        if tokens.until_ns < boottime_s() * 1e9 + WORTH_MS * 1e6:
            self.refund(tokens, count)
            return Refused("rate", WORTH_MS)
        return tokens

    def _tap(self, name: str, limit: Limit) -> Tap:
        key = name, limit.rate, limit.burst
        tap = self._taps.get(key)
        if tap is None:
            if len(self._taps) >= _MOST_TAPS:
                del self._taps[next(iter(self._taps))]
            tap = Tap(semaphore_name(name), asked(rate_of(limit)), self._servers, self._namespace)
            self._taps[key] = tap
        return tap


def rate_of(limit: Limit) -> Rate:
    """As the engine has it."""
    return parse_rate(limit.rate, limit.burst or None)


def start_ms(rate: Rate) -> float:
    """How long after its token was taken a job may begin: a tenth of a short period, and START_MS at most."""
    return min(START_MS, max(LEAST_START_MS, rate.period_us / 10_000))


def asked(rate: Rate) -> Rate:
    """What the servers are asked for."""
    if rate.burst is not None:
        return rate
    return replace(rate, period_us=rate.period_us + int(start_ms(rate) * 1000))


def ahead(rate: Rate) -> int:
    """How many tokens a pass has at most."""
    return max(1, min(MOST, int(rate.count * AHEAD_MS * 1000 / rate.period_us)))


def _rated(rules: _Rules) -> list[tuple[str, Limit]]:
    return sorted((name, limit) for name, limit in rules.items() if limit.rate)
