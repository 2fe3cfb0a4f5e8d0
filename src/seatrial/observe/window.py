"""Windows of predictions: which rows they hold, and findings on them."""

from datetime import datetime

import msgspec
import polars as pl

from seatrial.facts.estimate import Estimate
from seatrial.facts.finding import Finding, Verdict
from seatrial.facts.prediction import Variant


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """Decisions made in [`since`, `until`), looked at `at`."""

    since: datetime
    until: datetime
    at: datetime

    def rows(self, predictions: pl.DataFrame, release: str) -> pl.DataFrame:
        """The release's predictions of this window."""
        if predictions.is_empty():
            return predictions
        inside = pl.col("made_at").is_between(self.since, self.until, closed="left")
        return predictions.filter(inside, pl.col("release") == release)

    def finding(
        self,
        product: str,
        release: str,
        *,
        measure: str,
        segment: str,
        value: float | Estimate | None,
        sample_size: int,
        verdict: Verdict,
        detail: str,
    ) -> Finding:
        """A finding on this window; its id names product, release, measure, segment and the end of the window."""
        known = value if isinstance(value, Estimate) else Estimate(value=value)
        return Finding(
            id=f"{product}-{release}-{measure}-{segment}-{self.until:%Y-%m-%dT%H%M}".replace(" ", "-"),
            product=product,
            at=self.at,
            window_from=self.since,
            window_to=self.until,
            release=release,
            segment=segment,
            measure=measure,
            value=known.value,
            lower=known.lower,
            upper=known.upper,
            sample_size=sample_size,
            verdict=verdict,
            detail=detail,
        )


def answered(predictions: pl.DataFrame) -> pl.DataFrame:
    """The rows that were answers: a shadow's own are none."""
    if predictions.is_empty():
        return predictions
    return predictions.filter(pl.col("assigned") != Variant.SHADOW.value)
