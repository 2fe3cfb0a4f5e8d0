"""Lookups as known at the decision: joined for training, and found by key in serving.

Join: 2 M examples with 3 lookups, from Parquet to the joined table in memory and its sums. One lookup counts from its
event, one is late, one has its own known time and late corrections. Seatrial, DuckDB (its ASOF join) and Polars
(its as-of joins in a chain, written by hand) do the same; their sums must be equal. Each run is a process of its own,
and the systems take turns. They are judged by their fastest runs: what else the machine does can only add time.

Online: the row that stands for one key now, from the local store that server processes share, in microseconds; then
the same through the table that a request of one row goes through; then how fast the store is filled and refreshed.
"""

import argparse
import importlib
import json
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
DUCKDB = ROOT / ".peers" / "duckdb" / "bin" / "python"
PYTHONS = {"seatrial": Path(sys.executable), "polars": Path(sys.executable), "duckdb": DUCKDB}
DAY = 86_400
DAYS = 120
LATE = 20 * 60
P99_GOAL_US = 20.0
SUMS = ("rain", "wind", "risk", "orders", "price")
FULL = {"examples": 2_000_000, "weather": 500_000, "customers": 600_000, "prices": 400_000, "keys": 120_000}
QUICK = {"examples": 100_000, "weather": 25_000, "customers": 30_000, "prices": 20_000, "keys": 120_000}


def make_tables(folder: Path, sizes: dict[str, int]) -> None:
    """Examples in no order, and three lookups in the order of delivery, as Parquet."""
    import numpy as np
    import polars as pl

    random = np.random.default_rng(7)
    first = 1_735_689_600  # 2025-01-01

    def moments(rows: int) -> Any:
        return random.integers(0, DAYS * DAY, rows)

    def stamps(seconds: Any) -> pl.Series:
        return pl.Series((first + seconds) * 1_000_000).cast(pl.Datetime("us", "UTC"))

    def write(name: str, **columns: Any) -> None:
        pl.DataFrame(columns).write_parquet(folder / f"{name}.parquet")

    rows = sizes["examples"]
    stations, customers, products = 300, max(10, sizes["customers"] // 6), 5_000
    write(
        "examples",
        example=np.arange(rows),
        made_at=stamps(moments(rows)),
        station=[f"S{number:04d}" for number in random.integers(0, stations, rows)],
        customer=random.integers(0, customers, rows),
        product=random.integers(0, products, rows),
        market=random.integers(0, 3, rows),
    )
    rows = sizes["weather"]
    write(
        "weather",
        station=[f"S{number:04d}" for number in random.integers(0, stations, rows)],
        seen=stamps(np.sort(moments(rows))),
        rain=random.integers(0, 100, rows),
        wind=random.integers(0, 40, rows),
    )
    rows = sizes["customers"]
    told = np.sort(moments(rows))
    delay = np.where(random.random(rows) < 0.2, random.integers(0, 20 * DAY, rows), 60)
    write(
        "customers",
        customer=random.integers(0, customers, rows),
        told=stamps(told),
        known=stamps(told + delay),
        risk=random.integers(0, 1000, rows),
        orders=random.integers(0, 50, rows),
    )
    rows = sizes["prices"]
    write(
        "prices",
        product=random.integers(0, products, rows),
        market=random.integers(0, 3, rows),
        valid=stamps(np.sort(moments(rows))),
        price=random.integers(1, 10_000, rows),
    )


def join_seatrial(folder: Path) -> dict[str, int]:
    """The sums after Seatrial's preparation and join."""
    import polars as pl

    from seatrial.product.lookups import join_all, prepare
    from seatrial.product.schema import Lookup

    lookups = {
        "weather": Lookup(on=("station",), as_of="seen", available_after=LATE, columns=("rain", "wind")),
        "customers": Lookup(on=("customer",), as_of="told", known_at="known", columns=("risk", "orders")),
        "prices": Lookup(on=("product", "market"), as_of="valid", columns=("price",)),
    }
    tables = {name: pl.read_parquet(folder / f"{name}.parquet") for name in lookups}
    prepared = [
        (prepare(tables[name], lookup, {column: column for column in lookup.columns}), lookup)
        for name, lookup in lookups.items()
    ]
    joined = join_all(pl.read_parquet(folder / "examples.parquet"), prepared, "made_at")
    return joined.select(pl.col(SUMS).sum()).row(0, named=True)


def join_polars(folder: Path) -> dict[str, int]:
    """The sums after a chain of Polars' as-of joins, as one would write it by hand."""
    import polars as pl

    def read(name: str) -> pl.DataFrame:
        return pl.read_parquet(folder / f"{name}.parquet")

    weather = read("weather").with_columns(known=pl.col("seen") + pl.duration(seconds=LATE))
    customers = (
        read("customers")
        .with_columns(known=pl.max_horizontal("known", "told"))
        .with_row_index("row")
        .sort("customer", "known", "told", "row")
        .filter(pl.col("told") >= pl.col("told").cum_max().over("customer"))
        .unique(["customer", "known"], keep="last", maintain_order=True)
        .drop("told", "row")
    )
    prices = read("prices").unique(["product", "market", "valid"], keep="last", maintain_order=True)
    weather = weather.unique(["station", "known"], keep="last", maintain_order=True).drop("seen")
    joined = read("examples").sort("made_at")
    for table, keys, known in (
        (weather, ["station"], "known"),
        (customers, ["customer"], "known"),
        (prices, ["product", "market"], "valid"),
    ):
        joined = joined.join_asof(
            table.sort(known), left_on="made_at", right_on=known, by=keys, check_sortedness=False
        ).drop(known)
    joined = joined.sort("example")
    return joined.select(pl.col(SUMS).sum()).row(0, named=True)


def join_duckdb(folder: Path) -> dict[str, int]:
    """The sums after DuckDB's ASOF joins into a table in memory."""
    import duckdb  # type: ignore[import-not-found]  # it is in its own environment

    def read(name: str) -> str:
        # The row number is the order of delivery, which decides between rows of one moment.
        return f"read_parquet('{folder / name}.parquet', file_row_number = true)"

    last = "QUALIFY row_number() OVER (PARTITION BY {0} ORDER BY file_row_number DESC) = 1"
    connection = duckdb.connect()
    connection.execute("SET preserve_insertion_order = false")
    connection.execute(
        f"""
        CREATE TABLE joined AS
        WITH weather AS (
            SELECT station, seen + INTERVAL {LATE} SECOND AS known, rain, wind
            FROM {read("weather")} {last.format("station, seen")}
        ), customers AS (
            SELECT customer, known, risk, orders FROM (
                SELECT customer, greatest(known, told) AS known, told, risk, orders, file_row_number
                FROM {read("customers")}
                QUALIFY told >= max(told) OVER (
                    PARTITION BY customer ORDER BY greatest(known, told), told, file_row_number)
            ) QUALIFY row_number() OVER (
                PARTITION BY customer, known ORDER BY told DESC, file_row_number DESC) = 1
        ), prices AS (
            SELECT product, market, valid, price
            FROM {read("prices")} {last.format("product, market, valid")}
        )
        SELECT e.*, rain, wind, risk, orders, price
        FROM read_parquet('{folder}/examples.parquet') e
        ASOF LEFT JOIN weather w ON e.station = w.station AND e.made_at >= w.known
        ASOF LEFT JOIN customers c ON e.customer = c.customer AND e.made_at >= c.known
        ASOF LEFT JOIN prices p ON e.product = p.product AND e.market = p.market AND e.made_at >= p.valid
        """  # noqa: S608 - our own names and numbers
    )
    found = connection.execute(f"SELECT {', '.join(f'sum({name})' for name in SUMS)} FROM joined")  # noqa: S608 - our own names
    row = found.fetchone()
    assert row is not None
    return {name: int(value) for name, value in zip(SUMS, row, strict=True)}


LIBRARIES = {"seatrial": "seatrial.product.lookups", "polars": "polars", "duckdb": "duckdb"}
JOINS: dict[str, Callable[[Path], dict[str, int]]] = {
    "seatrial": join_seatrial,
    "polars": join_polars,
    "duckdb": join_duckdb,
}


def measure_online(folder: Path, sizes: dict[str, int]) -> dict[str, float]:
    """Microseconds per lookup, and rows per second into the store."""
    import numpy as np
    import polars as pl

    from seatrial.adapters.artifacts.store import open_artifacts
    from seatrial.adapters.lookups.store import LmdbLookups
    from seatrial.facts.lookups import PublishedLookup
    from seatrial.product.lookup_changes import changes
    from seatrial.product.lookup_files import to_bytes
    from seatrial.product.lookups import prepare
    from seatrial.product.schema import Lookup

    random = np.random.default_rng(11)
    keys, rows = sizes["keys"], 4 * sizes["keys"]
    known = pl.Series(1_735_689_600_000_000 + np.sort(random.integers(0, DAYS * DAY, rows)) * 1_000_000)
    raw = pl.DataFrame(
        {
            "customer": [f"customer-{number:07d}" for number in random.integers(0, keys, rows)],
            "told": known.cast(pl.Datetime("us", "UTC")),
            "risk": random.random(rows),
            "orders": random.integers(0, 50, rows),
            "segment": [f"segment-{number}" for number in random.integers(0, 12, rows)],
        }
    )
    lookup = Lookup(on=("customer",), as_of="told", columns=("risk", "orders", "segment"))
    names = {column: column for column in lookup.columns}
    before, after = prepare(raw.head(rows - rows // 10), lookup, names), prepare(raw, lookup, names)
    artifacts = open_artifacts(folder / "artifacts")
    base = PublishedLookup(on=lookup.on, base=artifacts.put(to_bytes(before)))
    increment = changes(before, after, lookup.on)
    newer = PublishedLookup(on=lookup.on, base=base.base, increments=(artifacts.put(to_bytes(increment)),))
    store = LmdbLookups(folder / "lookups", artifacts)
    begun = time.perf_counter()
    table = store.open("customers", base, lookup, lookup.columns)
    filled = time.perf_counter()
    store.open("customers", newer, lookup, lookup.columns)
    refreshed = time.perf_counter()
    assert table is not None
    now = int(known.max() or 0)  # type: ignore[arg-type]  # a column of integers
    asked = [(f"customer-{number:07d}",) for number in random.integers(0, keys, 100_000)]
    single = _microseconds(lambda key: table.get(key, now), asked)
    at = pl.Series([now]).cast(pl.Datetime("us", "UTC"))
    frames = [pl.DataFrame({"customer": [key[0]], "made_at": at}) for key in asked[:10_000]]
    framed = _microseconds(lambda frame: table.find(frame, "made_at"), frames)
    return {
        "keys": raw["customer"].n_unique(),
        "rows": after.height,
        "get_p50_us": _percentile(single, 0.50),
        "get_p99_us": _percentile(single, 0.99),
        "get_p999_us": _percentile(single, 0.999),
        "request_p50_us": _percentile(framed, 0.50),
        "request_p99_us": _percentile(framed, 0.99),
        "filled_rows_per_s": round(before.height / (filled - begun)),
        "refreshed_rows_per_s": round(increment.height / (refreshed - filled)),
    }


def _microseconds(call: Callable[[Any], Any], arguments: list[Any]) -> list[float]:
    times = []
    for argument in arguments:
        begun = time.perf_counter_ns()
        call(argument)
        times.append((time.perf_counter_ns() - begun) / 1000)
    return times


def _percentile(times: list[float], share: float) -> float:
    ordered = sorted(times)
    return round(ordered[int(share * (len(ordered) - 1))], 1)


def child(task: str, folder: Path, sizes: dict[str, int]) -> dict[str, Any]:
    """What one process measured."""
    if task == "tables":
        make_tables(folder, sizes)
        return {}
    if task == "online":
        return dict(measure_online(folder, sizes))
    importlib.import_module(LIBRARIES[task])
    begun = time.perf_counter()
    sums = JOINS[task](folder)
    seconds = time.perf_counter() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": seconds, "peak_mb": peak, "sums": sums}


def run(task: str, folder: Path, sizes: dict[str, int]) -> dict[str, Any]:
    """What a process of its own measured. A run that fails ends the benchmark."""
    python = PYTHONS.get(task, Path(sys.executable))
    command = [str(python), __file__, "--child", task, str(folder), json.dumps(sizes)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure_joins(folder: Path, sizes: dict[str, int], rounds: int) -> dict[str, dict[str, Any]]:
    """Seconds and memory by system, all with the same sums. The first run of each warms the file cache."""
    present = [name for name in JOINS if PYTHONS[name].exists()]
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in present}
    for turn in range(rounds + 1):
        for name in present:
            found = run(name, folder, sizes)
            if turn:
                runs[name].append(found)
    sums = {name: found[0]["sums"] for name, found in runs.items()}
    if any(one != sums["seatrial"] for one in sums.values()):
        raise SystemExit(f"the systems do not join the same: {sums}")
    return {
        name: {
            "median_s": round(statistics.median(one["seconds"] for one in found), 2),
            "min_s": round(min(one["seconds"] for one in found), 2),
            "peak_mb": round(max(one["peak_mb"] for one in found)),
            "runs": len(found),
        }
        for name, found in runs.items()
    }


def goals(joins: dict[str, dict[str, Any]], online: dict[str, float]) -> list[dict[str, object]]:
    """One record per goal; a system that is not installed leaves its goal unmet."""
    own, plain = joins["seatrial"]["min_s"], joins["polars"]["min_s"]
    peer = joins.get("duckdb", {}).get("min_s")
    beside = None if peer is None else round(own / peer, 2)
    return [
        {"name": "join, times DuckDB", "value": beside, "goal": 1.0, "met": bool(beside and beside <= 1.0)},
        {"name": "join, times hand-written Polars", "value": round(own / plain, 2), "goal": 1.3}
        | {"met": own / plain <= 1.3},
        {"name": "online p99 (us)", "value": online["get_p99_us"], "goal": P99_GOAL_US}
        | {"met": online["get_p99_us"] < P99_GOAL_US},
    ]


def told(results: dict[str, Any]) -> str:
    """The results in words."""
    lines = [
        f"{name:10} fastest {one['min_s']:6.2f} s, median {one['median_s']:.2f} s, {one['peak_mb']:,} MB"
        for name, one in results["join"].items()
    ]
    return "\n".join([*lines, *(f"{name:22} {value:,}" for name, value in results["online"].items())])


def main() -> int:
    """0 if every goal is met, 1 otherwise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a twentieth of the rows, one run of each")
    parser.add_argument("--json", action="store_true", help="print the JSON object only")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        task, folder, text = options.child
        print(json.dumps(child(task, Path(folder), json.loads(text))))
        return 0
    sizes = QUICK if options.quick else FULL
    with tempfile.TemporaryDirectory(prefix="point-in-time-") as folder:
        run("tables", Path(folder), sizes)
        joins = measure_joins(Path(folder), sizes, 1 if options.quick else 5)
        online = run("online", Path(folder), sizes)
    results = {"sizes": sizes, "join": joins, "online": online}
    judged = goals(joins, online)
    versions = {name: version(name) for name in ("seatrial", "polars", "lmdb")}
    report = {
        "benchmark": "point_in_time",
        "versions": {**versions, "duckdb": peer_version(), "python": platform.python_version()},
        "results": results,
        "goals": judged,
    }
    if not options.json:
        print(told(results))
    print(json.dumps(report))
    return 0 if all(goal["met"] for goal in judged) else 1


def peer_version() -> str:
    """The release compared with."""
    return (ROOT / "benchmarks" / "peers" / "duckdb.txt").read_text().strip().partition("==")[2]


if __name__ == "__main__":
    sys.exit(main())
