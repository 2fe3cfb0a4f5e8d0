"""Prepared lookup tables as bytes, so that a bundle can name them by digest."""

import io

import polars as pl

from seatrial.errors import IntegrityBroken


def to_bytes(prepared: pl.DataFrame) -> bytes:
    """The table as an Arrow IPC file; the same rows give the same bytes, however they are chunked."""
    buffer = io.BytesIO()
    prepared.rechunk().write_ipc(buffer, compression="zstd", compat_level=pl.CompatLevel.oldest())
    return buffer.getvalue()


def from_bytes(body: bytes) -> pl.DataFrame:
    """The table of `to_bytes`. Raises IntegrityBroken when the bytes are no Arrow IPC file."""
    try:
        return pl.read_ipc(io.BytesIO(body))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise IntegrityBroken(
            f"a lookup table: expected an Arrow IPC file, got {len(body)} other bytes; release again"
        ) from error
