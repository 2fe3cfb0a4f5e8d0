"""What the engine counts while it serves."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from seatrial.serve.request import Fault

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
ROWS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 4096.0, 16384.0)
UNKNOWN_FIELD = "(no column of the contract)"


class Histogram:
    """Counts of observations by upper bound, their sum and number."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Count one observation under the first bound that it does not exceed."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


@dataclass
class Counters:
    """Totals since the start of this process.

    `requests` are by outcome (ok, or an error code), `fallbacks` and `diverted` by release and
    reason, `violations` by field, `breaker_opens`, `shadow_errors` and `rows` by release.
    """

    requests: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    fallbacks: Counter[tuple[str, str]] = field(default_factory=Counter)
    diverted: Counter[tuple[str, str]] = field(default_factory=Counter)
    violations: Counter[str] = field(default_factory=Counter)
    breaker_opens: Counter[str] = field(default_factory=Counter)
    shadow_errors: Counter[str] = field(default_factory=Counter)
    shed: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    refreshes: Counter[str] = field(default_factory=Counter)
    request_seconds: Histogram = field(default_factory=lambda: Histogram(SECONDS))
    batch_rows: Histogram = field(default_factory=lambda: Histogram(ROWS))

    def violated(self, faults: Iterable[Fault], columns: Iterable[str]) -> None:
        """Count faults by field; fields that no contract names share one place, or callers could fill the memory."""
        known = set(columns)
        self.violations.update(
            str(fault["field"]) if fault["field"] in known else UNKNOWN_FIELD for fault in faults
        )
