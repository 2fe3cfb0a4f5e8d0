"""Ledger rows that count: the last booking of what answered, never a shadow's."""

from datetime import datetime

import polars as pl

from seatrial.facts.prediction import Variant
from seatrial.value.ledger import current

SHADOW = Variant.SHADOW.value


def answered(
    ledger: pl.DataFrame, *, since: datetime | None = None, until: datetime | None = None
) -> pl.DataFrame:
    """The current rows of answering releases with `made_at` in [`since`, `until`), in a fixed order."""
    return within(current(ledger), since, until).filter(pl.col("assigned") != SHADOW)


def within(rows: pl.DataFrame, since: datetime | None, until: datetime | None) -> pl.DataFrame:
    """The rows with `made_at` in [`since`, `until`); None leaves that side open."""
    if since is not None:
        rows = rows.filter(pl.col("made_at") >= since)
    return rows if until is None else rows.filter(pl.col("made_at") < until)
