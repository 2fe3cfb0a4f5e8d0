"""Rows that say the same under different keys: the same thing told twice would stand on both sides of a split."""

import polars as pl

# Fewer are told by nobody: coarse columns repeat by chance.
_SHARE = 0.01
_FEWEST_ROWS = 500
_FEWEST_COLUMNS = 5


def repeated_rows(frame: pl.DataFrame, *, key: str) -> str | None:
    """A sentence about rows that equal an earlier one in all but the key, or None where they are under a hundredth.

    Tables of fewer than five other columns repeat by chance, and are not judged.
    """
    named = [name for name in frame.columns if name != key]
    if len(named) < _FEWEST_COLUMNS or frame.height < _FEWEST_ROWS:
        return None
    repeated = frame.height - frame.select(named).unique().height
    if repeated < _SHARE * frame.height:
        return None
    return (
        f"{repeated:,} of {frame.height:,} rows equal an earlier one in all but {key}: if they tell of the same thing, "
        f"a rule `unique` puts them aside; if not, they share one fate, and intervals from single rows are too narrow"
    )
