"""Lookup tables as artifacts."""

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from seatrial.errors import IntegrityBroken
from seatrial.product.lookup_files import from_bytes, to_bytes
from tests.hotel import hotel_product, weather_table


def test_a_table_comes_back_as_it_was() -> None:
    table = weather_table(hotel_product())
    assert_frame_equal(from_bytes(to_bytes(table)), table)


def test_the_same_rows_give_the_same_bytes_however_they_are_chunked() -> None:
    table = pl.DataFrame({"city": ["a", "b", None], "rain": [1.0, None, 3.0]})
    chunked = pl.concat([table.head(1), table.tail(2)], rechunk=False)
    assert to_bytes(chunked) == to_bytes(table)


def test_other_bytes_are_refused() -> None:
    with pytest.raises(IntegrityBroken, match="Parquet"):
        from_bytes(b"no table")
