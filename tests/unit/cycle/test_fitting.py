"""Values fit the columns in which they are stored, or are missing and counted."""

from datetime import UTC, date, datetime
from typing import Any

import polars as pl
import pytest

from seatrial.contract.types import TIMESTAMP
from seatrial.cycle.fitting import fitted, in_columns, wider

NAN = float("nan")
DAY = date(2025, 1, 31)
MIDNIGHT = datetime(2025, 1, 31, tzinfo=UTC)


@pytest.mark.parametrize(
    ("dtype", "values", "stored", "unfit"),
    [
        (pl.Float64(), [1.5, 2, None], [1.5, 2.0, None], 0),
        (pl.Float64(), ["2.5", True, "large"], [2.5, 1.0, None], 1),
        (pl.Float64(), [10**400, 1.0, "x"], [None, 1.0, None], 2),
        (pl.Int64(), [2.0, "3", False, 2.5, NAN, None], [2, 3, 0, None, None, None], 2),
        (pl.Int64(), [2**70, 1], [None, 1], 1),
        (pl.String(), [1, 2.5, True, "a"], ["1", "2.5", "true", "a"], 0),
        (pl.Boolean(), [1, 0.0, "TRUE", "no", 2], [True, False, True, None, None], 2),
        (pl.Date(), ["2025-01-31", DAY, None, "2025-01-31T00:00:00Z"], [DAY, DAY, None, DAY], 0),
        (pl.Date(), ["31.1.2025", 20250131, True, "2025-01-31T09:00:00Z"], [None] * 4, 4),
        (TIMESTAMP, ["2025-01-31T01:00:00+01:00", "2025-01-31", None], [MIDNIGHT, MIDNIGHT, None], 0),
        (TIMESTAMP, ["tomorrow", 1738281600, "0001-01-01T00:00:00+01:00"], [None] * 3, 3),
        (pl.String(), [DAY], ["2025-01-31"], 0),
    ],
)
def test_values_are_converted_without_loss_or_missing_and_counted(
    dtype: Any, values: list[Any], stored: list[Any], unfit: int
) -> None:
    column, count = fitted("x", values, dtype)
    assert (column.name, column.dtype, column.to_list(), count) == ("x", dtype, stored, unfit)


def test_a_frame_comes_in_the_columns_that_are_asked_for() -> None:
    frame = pl.DataFrame({"kept": [1, 2], "left": [1, 2], "changed": [2.0, 2.5]})
    asked = {"changed": pl.Int64(), "new": pl.String(), "kept": pl.Int64()}
    found = in_columns(frame, asked)
    assert found.schema == pl.Schema(asked)
    assert found.rows() == [(2, None, 1), (None, None, 2)]


def test_two_types_share_the_one_in_which_both_fit() -> None:
    assert wider(pl.Int64(), pl.Int64()) == pl.Int64()
    assert wider(pl.Int64(), pl.Float64()) == wider(pl.Float64(), pl.Int64()) == pl.Float64()
    assert wider(pl.Boolean(), pl.Float64()) == wider(pl.String(), pl.Int64()) == pl.String()
