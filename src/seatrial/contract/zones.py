"""Times that say no zone, read in the zone that people state for their source."""

from typing import TypeVar
from zoneinfo import ZoneInfo

import polars as pl

# Zones that never turn their clocks: no hour is missing in them, and none comes twice.
_STEADY = ("UTC", "Etc/UTC")
# RFC 3339 without its zone.
_TEXT = r"^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?$"
_ANY_TEXT = r"^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:?\d{2})?$"
_AS_TEXT = "%Y-%m-%dT%H:%M:%S%.6f"

Rows = TypeVar("Rows", pl.DataFrame, pl.LazyFrame)


def check_zone(name: str) -> str:
    """The name of a time zone of the IANA database. Raises ValueError for any other text."""
    if not _is_zone(name):
        raise ValueError(f"expected an IANA time zone such as UTC or Europe/Lisbon, got {name!r}")
    return name


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
        pl.select(pl.lit(None, pl.Datetime("us")).dt.replace_time_zone(name))
    except (KeyError, OSError, ValueError, pl.exceptions.PolarsError):
        # How another text is refused differs between systems.
        return False
    return True


def in_zone(rows: Rows, zone: str) -> Rows:
    """The rows with every time that says no zone read in `zone`: columns of times, and texts that are written so.

    Of an hour that comes twice, when clocks are set back, the earlier is taken. A time that clocks skip is no time:
    its column becomes text, in which it stays without a zone, so that the contract puts its row aside. Times that
    say their zone, dates, and other texts stay as they are.
    """
    kinds = rows.lazy().collect_schema()
    times = [name for name, kind in kinds.items() if _is_naive(kind)]
    skipped = _with_skipped(rows.lazy(), times, zone)
    read = [_as_text(name, zone) if name in skipped else _read(pl.col(name), zone) for name in times]
    return rows.with_columns(
        *read, *(_text_read(name, zone) for name, kind in kinds.items() if kind == pl.String)
    )


def without_zone(frame: pl.DataFrame) -> list[str]:
    """The columns with times that say no zone, as times or as texts all of which are times."""
    return [
        one.name
        for one in frame.iter_columns()
        if _is_naive(one.dtype) or (is_text_of_times(one) and bool(one.str.contains(_TEXT).any()))
    ]


def with_moments(frame: pl.DataFrame) -> pl.DataFrame:
    """The table with its columns of texts that all are times, with their zone, as times in UTC.

    A column with a text that only looks like a time (a 30th of February) stays text.
    """
    texts = [one for one in frame.iter_columns() if is_text_of_times(one)]
    read = [one.str.to_datetime("%+", time_unit="us", time_zone="UTC", strict=False) for one in texts]
    return frame.with_columns(
        moments
        for text, moments in zip(texts, read, strict=True)
        if moments.null_count() == text.null_count()
    )


def is_text_of_times(series: pl.Series) -> bool:
    """Whether a column holds texts, and all of them are times as RFC 3339 writes them, with their zone or without."""
    if series.dtype != pl.String or series.null_count() == len(series):
        return False
    # Most columns of text differ in their first value already.
    first = series.drop_nulls().head(1)
    return bool(first.str.contains(_ANY_TEXT).all()) and bool(series.str.contains(_ANY_TEXT).all())


def _is_naive(kind: pl.DataType) -> bool:
    return isinstance(kind, pl.Datetime) and kind.time_zone is None


def _read(times: pl.Expr, zone: str) -> pl.Expr:
    return times.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")


def _with_skipped(rows: pl.LazyFrame, times: list[str], zone: str) -> set[str]:
    if not times or zone in _STEADY:
        return set()
    skipped = (pl.col(name).is_not_null() & _read(pl.col(name), zone).is_null() for name in times)
    found = rows.select(one.any().alias(name) for name, one in zip(times, skipped, strict=True))
    return {name for name, any_skipped in found.collect().row(0, named=True).items() if any_skipped}


def _as_text(name: str, zone: str) -> pl.Expr:
    zoned = _read(pl.col(name), zone).dt.to_string(f"{_AS_TEXT}%:z")
    return pl.coalesce(zoned, pl.col(name).dt.to_string(_AS_TEXT)).alias(name)


def _text_read(name: str, zone: str) -> pl.Expr:
    text = pl.col(name)
    naive = pl.when(text.str.contains(_TEXT)).then(
        text.str.to_uppercase().str.replace(" ", "T", literal=True)
    )
    if zone in _STEADY:
        return pl.coalesce(naive + "Z", text).alias(name)
    moment = _read(naive.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", time_unit="us", strict=False), zone)
    # What is written of the time stays, to the last digit; only the zone is added.
    return pl.coalesce(naive + moment.dt.to_string("%:z"), text).alias(name)
