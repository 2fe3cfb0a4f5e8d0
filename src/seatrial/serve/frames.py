"""Request rows as a table: request columns, then lookups, then derived columns and when they mature."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import polars as pl

from seatrial.product.product import MATURED_AT
from seatrial.serve.loaded import LoadedRelease

# Python's datetimes end here; an expression may add days to a moment that is near the end.
_LAST = datetime(9999, 12, 31, tzinfo=UTC)
_FIRST = datetime(1, 1, 2, tzinfo=UTC)


def enriched(loaded: LoadedRelease, rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """One row per request row, in order, with all columns of the product and `matured_at`."""
    frame = pl.DataFrame(rows, schema=loaded.schema)
    made_at = loaded.product.made_at
    found = [index.find(frame, made_at) for index in loaded.lookups.values()]
    return loaded.product.derived(pl.concat([frame, *found], how="horizontal") if found else frame)


def undated(frame: pl.DataFrame) -> list[int]:
    """Positions of rows that never mature: when they would is unknown or no date of the calendar."""
    dated = pl.col(MATURED_AT).is_between(_FIRST, _LAST).fill_null(False)
    return frame.select(dated.not_().arg_true()).to_series().to_list()
