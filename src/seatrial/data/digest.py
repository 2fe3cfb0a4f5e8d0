"""The digest of a table over its rows, whatever their order, chunks or file."""

import hashlib
from collections.abc import Iterator

import polars as pl

from seatrial.contract.types import TIMESTAMP
from seatrial.errors import DataRefused

# Little-endian, so that every machine hashes the same bytes.
_LAYOUT = {pl.Float64: "<f8", pl.Int64: "<i8", pl.Int32: "<i4", pl.Boolean: "u1"}


def rows_digest(frame: pl.DataFrame) -> str:
    """`sha256:<hex>` over the canonical rows: columns by name, rows sorted, values with their validity.

    Equal for tables with equal rows in any order, column order or chunking; -0.0 equals 0.0, NaN equals NaN.
    Raises DataRefused for columns of a type that no contract has.
    """
    names = sorted(frame.columns)
    canonical = frame.select(_canonical(name, frame.schema[name]) for name in names)
    ordered = canonical.sort(names) if names else canonical
    digest = hashlib.sha256(f"{ordered.height} rows".encode())
    for name in names:
        for part in _parts(ordered[name]):
            digest.update(f"{len(part)}:".encode())
            digest.update(part)
    return f"sha256:{digest.hexdigest()}"


def _canonical(name: str, dtype: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    if dtype == pl.Float64:
        # Sorting cannot tell -0.0 from 0.0, nor one NaN from another.
        plain = pl.when(column == 0).then(0.0).when(column.is_nan()).then(float("nan")).otherwise(column)
        return plain.alias(name)
    if dtype in (pl.Int64, pl.Boolean, pl.String, pl.Date, TIMESTAMP):
        return column
    raise DataRefused(f"column {name}: a table with a digest holds contract types only, got {dtype}")


def _parts(column: pl.Series) -> Iterator[bytes]:
    """Name and type, validity, and the values with nothing where they are missing."""
    yield f"{column.name} {column.dtype}".encode()
    yield column.is_null().to_numpy().astype("u1").tobytes()
    if column.dtype == pl.String:
        text = column.fill_null("")
        yield text.str.len_bytes().to_numpy().astype("<u4").tobytes()
        yield "".join(text.to_list()).encode()
    else:
        physical = column.to_physical()
        filled = physical.fill_null(False) if physical.dtype == pl.Boolean else physical.fill_null(0)
        yield filled.to_numpy().astype(_LAYOUT[type(physical.dtype)]).tobytes()
