"""Prepared lookup tables as bytes, so that a bundle or publication can name them by digest."""

import io

import polars as pl

from seatrial.errors import IntegrityBroken
from seatrial.facts.lookups import PublishedLookup
from seatrial.ports.artifacts import Artifacts
from seatrial.product.lookup_changes import applied


def to_bytes(prepared: pl.DataFrame) -> bytes:
    """The table as Parquet; the same rows give the same bytes, however they are chunked."""
    buffer = io.BytesIO()
    # Arrow IPC would write the padding of its buffers, which differs between equal tables.
    prepared.rechunk().write_parquet(buffer, compression="zstd", statistics=False)
    return buffer.getvalue()


def from_bytes(body: bytes) -> pl.DataFrame:
    """The table of `to_bytes`. Raises IntegrityBroken when the bytes are no Parquet."""
    try:
        return pl.read_parquet(io.BytesIO(body))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise IntegrityBroken(
            f"a lookup table: expected Parquet, got {len(body)} other bytes; release again"
        ) from error


def published_table(published: PublishedLookup, artifacts: Artifacts) -> pl.DataFrame:
    """The prepared table with all its increments. Raises NotFound or IntegrityBroken when a part is gone or altered."""
    table = from_bytes(artifacts.get(published.base))
    for increment in published.increments:
        table = applied(table, from_bytes(artifacts.get(increment)), published.on)
    return table
