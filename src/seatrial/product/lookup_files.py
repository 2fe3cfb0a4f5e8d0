"""Prepared lookup tables as bytes, so that a bundle can name them by digest."""

import io

import polars as pl

from seatrial.errors import IntegrityBroken


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
