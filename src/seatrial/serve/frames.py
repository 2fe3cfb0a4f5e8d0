"""Request rows as a table: request columns, then lookups, then derived columns and when they mature."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import numpy.typing as npt
import polars as pl

from seatrial.product.features import encode
from seatrial.product.product import MATURED_AT
from seatrial.serve.loaded import LoadedRelease

# Python's datetimes end here; an expression may add days to a moment that is near the end.
_FIRST, _LAST = (
    pl.Series([moment]).dt.epoch("us").item()
    for moment in (datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC))
)


@dataclass(frozen=True)
class Sheet:
    """The rows as one product sees them; releases of the same product and lookups share it."""

    loaded: LoadedRelease
    frame: pl.DataFrame

    @cached_property
    def inputs(self) -> dict[str, npt.NDArray[Any]]:
        """The model's inputs."""
        return encode(self.frame, self.loaded.product.features)

    @cached_property
    def columns(self) -> list[dict[str, Any]]:
        """All columns of the product but moments, per row; dates as text, as in 2025-01-31."""
        kinds = self.loaded.product.columns.items()
        kept = [_recorded(name, kind) for name, kind in kinds if kind != "timestamp"]
        return self.frame.select(kept).to_dicts()

    @cached_property
    def matured_at(self) -> list[datetime | None]:
        """When each row matures."""
        return self.frame[MATURED_AT].to_list()

    @cached_property
    def baselines(self) -> list[bool]:
        """What would be done without a model, per row."""
        return self.loaded.product.baseline(self.frame).to_list()


def sheet(loaded: LoadedRelease, rows: Sequence[Mapping[str, Any]]) -> Sheet:
    """One row per request row, in order, with all columns of the product and `matured_at`."""
    frame = pl.DataFrame(rows, schema=loaded.schema)
    made_at = loaded.product.made_at
    found = [table.find(frame, made_at) for table in loaded.lookups.values()]
    if found:
        frame = pl.concat([frame, *found], how="horizontal")
    return Sheet(loaded, loaded.product.derived(frame))


def _recorded(name: str, kind: str) -> pl.Expr:
    return pl.col(name).cast(pl.String) if kind == "date" else pl.col(name)


def undated(frame: pl.DataFrame) -> list[int]:
    """Positions of rows that never mature: when they would is unknown or no date of the calendar."""
    moments = frame[MATURED_AT].to_physical().to_list()
    return [at for at, moment in enumerate(moments) if moment is None or not _FIRST <= moment <= _LAST]
