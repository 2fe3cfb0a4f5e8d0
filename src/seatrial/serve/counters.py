"""What the engine counts while it serves."""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from seatrial.serve.request import Fault

SECONDS = (
    0.0001,
    0.00025,
    0.0005,
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
)
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

    def add(self, other: "Histogram") -> None:
        """Count what another one with the same bounds has counted."""
        self.counts = [own + more for own, more in zip(self.counts, other.counts, strict=True)]
        self.sum += other.sum


@dataclass
class Counters:
    """Totals since the start of this process.

    `requests` are by outcome (ok, or an error code), `fallbacks` and `diverted` by release and
    reason, `violations` by field, `breaker_opens`, `shadow_errors` and `rows` by release; `shadows_left_out` are rows
    that a release should have judged beside the answers, `journal_lost` rows that were answered without a record,
    `journal_records` and `journal_failures` records and appends by kind. `failing` says of a release why the last rows
    that it was asked got no score.
    """

    requests: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    fallbacks: Counter[tuple[str, str]] = field(default_factory=Counter)
    diverted: Counter[tuple[str, str]] = field(default_factory=Counter)
    violations: Counter[str] = field(default_factory=Counter)
    breaker_opens: Counter[str] = field(default_factory=Counter)
    shadow_errors: Counter[str] = field(default_factory=Counter)
    shadows_left_out: Counter[str] = field(default_factory=Counter)
    journal_lost: Counter[str] = field(default_factory=Counter)
    ejections: Counter[tuple[str, str]] = field(default_factory=Counter)
    shed: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    actions: Counter[str] = field(default_factory=Counter)
    refreshes: Counter[str] = field(default_factory=Counter)
    request_seconds: Histogram = field(default_factory=lambda: Histogram(SECONDS))
    queue_seconds: Histogram = field(default_factory=lambda: Histogram(SECONDS))
    batch_rows: Histogram = field(default_factory=lambda: Histogram(ROWS))
    model_seconds: defaultdict[str, Histogram] = field(
        default_factory=lambda: defaultdict(lambda: Histogram(SECONDS))
    )
    failing: dict[str, str] = field(default_factory=dict)
    journal_records: Counter[str] = field(default_factory=Counter)
    journal_failures: Counter[str] = field(default_factory=Counter)

    def judged(self, release: str, seconds: float, failure: str | None) -> None:
        """Count one call of a release's model; `failure` says why no row got a score."""
        self.model_seconds[release].observe(seconds)
        if failure is not None:
            self.failing[release] = failure
        elif self.failing:
            self.failing.pop(release, None)

    def violated(self, faults: Iterable[Fault], columns: Iterable[str]) -> None:
        """Count faults by field; fields that no contract names share one place, or callers could fill the memory."""
        known = set(columns)
        self.violations.update(
            str(fault["field"]) if fault["field"] in known else UNKNOWN_FIELD for fault in faults
        )
