"""The rows of a micro-batch as one product sees them: request columns, then lookups, derived, and when they mature.

Values are physical: moments are microseconds since 1970 in UTC, dates days. Small batches are computed by plain
functions, large ones, and what plain functions cannot do, by Polars; a law holds that both agree.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from itertools import repeat
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from seatrial.contract.plain import Unplain
from seatrial.ports.runtime import Inputs
from seatrial.product.features import Feature, encode
from seatrial.product.product import MATURED_AT
from seatrial.serve.loaded import LoadedRelease
from seatrial.serve.plan import Plan

Columns = Mapping[str, Sequence[Any]]
# Above, the columns of Polars cost less than Python's lists.
PLAIN_ROWS = 400
_DAY_ZERO = date(1970, 1, 1)
# Python's datetimes end here; an expression may add days to a moment that is near the end.
_FIRST, _LAST = (
    pl.Series([moment]).dt.epoch("us").item()
    for moment in (datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC))
)


class Recorded(NamedTuple):
    """Request columns that were answered, and the types that they have."""

    schema: Mapping[str, Any]
    columns: Columns


class Sheet(Protocol):
    """Rows under one product; releases of the same product and lookups share it."""

    @property
    def loaded(self) -> LoadedRelease:
        """The release under whose product the rows are seen."""
        ...

    @property
    def rows(self) -> int:
        """How many."""
        ...

    @property
    def columns(self) -> Columns:
        """The request's columns."""
        ...

    @property
    def inputs(self) -> Inputs:
        """The model's inputs."""
        ...

    @property
    def features(self) -> Columns:
        """All columns of the product but moments; dates as text, as in 2025-01-31."""
        ...

    @property
    def matured_at(self) -> Sequence[int | None]:
        """When each row matures."""
        ...

    @property
    def baselines(self) -> Sequence[bool]:
        """What would be done without a model, per row."""
        ...

    def decide(self, scores: Sequence[float], threshold: float) -> Sequence[bool | None]:
        """The decision per row; None where it is unknown, and where the score is no number."""
        ...


def sheet(loaded: LoadedRelease, columns: Columns, rows: int) -> Sheet:
    """The rows of request columns, one entry per row each."""
    if loaded.plan is not None and rows <= PLAIN_ROWS:
        try:
            return PlainSheet(loaded, loaded.plan, columns, rows)
        except Unplain:
            pass  # a value that only Polars can take, such as a sum beyond 64 bits
    return TableSheet(loaded, columns, rows)


def taken(whole: Sheet, places: Sequence[int]) -> Sheet:
    """The rows at some places."""
    columns = {name: [column[place] for place in places] for name, column in whole.columns.items()}
    return sheet(whole.loaded, columns, len(places))


def undated(whole: Sheet) -> list[int]:
    """Places of rows that never mature: when they would is unknown or no date of the calendar."""
    return [
        at for at, moment in enumerate(whole.matured_at) if moment is None or not _FIRST <= moment <= _LAST
    ]


class PlainSheet:
    """Rows as lists."""

    def __init__(self, loaded: LoadedRelease, plan: Plan, columns: Columns, rows: int) -> None:
        """Raises Unplain when Polars is needed."""
        self.loaded, self.columns, self.rows, self._plan = loaded, columns, rows, plan
        self._all = _looked_up(loaded, columns)
        for name, function in plan.derive:
            self._all[name] = function(self._all, rows)
        self.matured_at: Sequence[int | None] = plan.matured_at(self._all, rows)
        self.baselines = [known or False for known in plan.baseline(self._all, rows)]

    @property
    def inputs(self) -> Inputs:
        """The model's inputs."""
        return PlainInputs(self._all, self.loaded.features, self.loaded.whole)

    @cached_property
    def features(self) -> Columns:
        """The recorded columns."""
        recorded = {name: self._all[name] for name in self.loaded.recorded}
        for name in self.loaded.dates:
            recorded[name] = [_date_text(day) for day in recorded[name]]
        return recorded

    def decide(self, scores: Sequence[float], threshold: float) -> Sequence[bool | None]:
        """See Sheet."""
        known = {**self._all, "score": scores, "threshold": list(repeat(threshold, self.rows))}
        try:
            return self._plan.decision(known, self.rows)
        except Unplain:
            return TableSheet(self.loaded, self.columns, self.rows).decide(scores, threshold)


class TableSheet:
    """Rows as a Polars table."""

    def __init__(self, loaded: LoadedRelease, columns: Columns, rows: int) -> None:
        self.loaded, self.columns, self.rows = loaded, columns, rows
        product = loaded.product
        frame = pl.DataFrame([_series(name, columns[name], kind) for name, kind in loaded.schema.items()])
        found = [table.find(frame, product.made_at) for table in loaded.lookups.values()]
        self.frame = product.derived(pl.concat([frame, *found], how="horizontal") if found else frame)

    @property
    def inputs(self) -> Inputs:
        """The model's inputs."""
        return encode(self.frame, self.loaded.product.features)

    @cached_property
    def features(self) -> Columns:
        """The recorded columns."""
        texts = [pl.col(name).cast(pl.String) for name in self.loaded.dates]
        return self.frame.select(self.loaded.recorded).with_columns(texts).to_dict(as_series=False)

    @cached_property
    def matured_at(self) -> Sequence[int | None]:
        """When each row matures."""
        return self.frame[MATURED_AT].to_physical().to_list()

    @cached_property
    def baselines(self) -> Sequence[bool]:
        """What would be done without a model."""
        return self.loaded.product.baseline(self.frame).to_list()

    def decide(self, scores: Sequence[float], threshold: float) -> Sequence[bool | None]:
        """See Sheet."""
        series = pl.Series("score", scores, dtype=pl.Float64)
        return self.loaded.product.decide(self.frame, series, threshold).to_list()


class PlainInputs:
    """A model's inputs from lists, the values of `product.features.encode`; see `ports.runtime.Inputs`."""

    def __init__(self, columns: Columns, features: Mapping[str, Feature], whole: frozenset[str]) -> None:
        """`whole` are the features that are whole numbers."""
        self._columns, self._features, self._whole = columns, features, whole

    def __contains__(self, name: object) -> bool:
        return name in self._features

    def __iter__(self) -> Any:
        return iter(self._features)

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        """One feature, of shape (n_rows, 1)."""
        column = self._columns[name]
        if self._features[name].categorical:
            return np.array(["" if text is None else text for text in column], dtype=object).reshape(-1, 1)
        return _numbers(column, self._features[name]).reshape(-1, 1)

    def matrix(self, names: Sequence[str]) -> npt.NDArray[np.float32]:
        """Numbers side by side, of shape (n_rows, len(names))."""
        # Whole numbers would be rounded twice on their way through 64-bit floats.
        if self._whole.isdisjoint(names):
            try:
                side = np.array([self._columns[name] for name in names], dtype=np.float64)
            except TypeError:  # a None is no number
                return np.hstack([self[name] for name in names])
            with np.errstate(over="ignore"):
                return np.ascontiguousarray(side.T, dtype=np.float32)
        return np.hstack([self[name] for name in names])


def _numbers(column: Sequence[Any], feature: Feature) -> npt.NDArray[np.float32]:
    """As `encode` has them: what is beyond 32 bits is infinite, what is missing no number."""
    kind = np.int64 if feature.type == "int" else np.float64
    with np.errstate(over="ignore"):
        numbers = np.array([value or 0 for value in column], dtype=kind).astype(np.float32)
    numbers[[value is None for value in column]] = np.nan
    return numbers


def _looked_up(loaded: LoadedRelease, columns: Columns) -> dict[str, Sequence[Any]]:
    known = dict(columns)
    moments = columns[loaded.product.made_at]
    for table in loaded.lookups.values():
        known |= table.pick(columns, moments)
    return known


def _series(name: str, values: Sequence[Any], dtype: Any) -> pl.Series:
    if dtype.is_temporal():
        return pl.Series(name, values, dtype=pl.Int64).cast(dtype)
    return pl.Series(name, values, dtype=dtype)


def _date_text(day: int | None) -> str | None:
    return None if day is None else (_DAY_ZERO + timedelta(days=day)).isoformat()
