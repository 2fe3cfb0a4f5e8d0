"""First guesses about a table: which column is the key, the decision time, the outcome."""

from collections.abc import Collection, Iterable

import polars as pl

from seatrial.contract.types import type_name

_KEY_ENDINGS = ("id", "key", "number", "uuid")


def guess_key(frame: pl.DataFrame, features: Collection[str]) -> str | None:
    """A text or whole-number column without repetition that is no feature; one that sounds like a key first."""
    possible = [
        name
        for name in frame.columns
        if name not in features
        and type_name(frame.schema[name]) in ("string", "int")
        and frame[name].null_count() == 0
        and not frame[name].is_duplicated().any()
    ]
    return _first(sorted(possible, key=lambda name: not name.lower().endswith(_KEY_ENDINGS)))


def guess_made_at(frame: pl.DataFrame) -> str | None:
    """The first column of moments."""
    return _first(name for name in frame.columns if type_name(frame.schema[name]) == "timestamp")


def guess_label(frame: pl.DataFrame, features: Collection[str]) -> str | None:
    """The first yes-or-no column that is no feature; booleans before zeros and ones."""
    others = [name for name in frame.columns if name not in features]
    booleans = [name for name in others if frame.schema[name] == pl.Boolean]
    return _first([*booleans, *(name for name in others if _is_flag(frame[name]))])


def _is_flag(series: pl.Series) -> bool:
    return series.dtype.is_numeric() and set(series.drop_nulls().unique().to_list()) == {0, 1}


def _first(names: Iterable[str]) -> str | None:
    return next(iter(names), None)
