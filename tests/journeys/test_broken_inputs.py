"""What real deliveries get wrong: each is refused with a clear error or kept aside, and nothing is lost."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest
from click.testing import CliRunner

from seatrial.cli.main import main
from seatrial.contract.model import ColumnContract, Contract, TableContract
from seatrial.contract.odcs import write_contract

FIRST = datetime(2025, 3, 1, tzinfo=UTC)
PRODUCT = """
product: orders
purpose: Say which orders will be returned, so that they can be packed with a label.
sources:
  orders: {path: orders/*}
examples:
  from: orders
  key: order
  made_at: ordered_at
  outcome: {label: returned}
  known_at: settled_at
  matured_at: ordered_at + INTERVAL '14 days'
model: {task: binary, estimator: "pipeline:make"}
"""
ORDERS = TableContract(
    name="orders",
    columns=(
        ColumnContract(name="order", type="string", role="key", required=True, unique=True),
        ColumnContract(name="ordered_at", type="timestamp", role="made_at", required=True),
        ColumnContract(name="items", type="int", role="feature", minimum=1, maximum=1000),
        ColumnContract(name="weight", type="float", role="feature", minimum=0, drift_budget=0.3),
        ColumnContract(name="returned", type="bool", role="outcome"),
        ColumnContract(name="settled_at", type="timestamp", role="known_at"),
    ),
    stop_above=0.2,
)


class Shop:
    """A product's folder, and the commands as a user types them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "orders").mkdir()
        (folder / "product.yaml").write_text(PRODUCT)
        self.agree(ORDERS)

    def agree(self, table: TableContract, version: str = "1.0.0") -> None:
        contract = Contract(id="orders", version=version, tables=(table,))
        (self.folder / "contract.yaml").write_text(write_contract(contract))

    def deliver(self, rows: pl.DataFrame, name: str = "orders.parquet") -> Path:
        path = self.folder / "orders" / name
        rows.write_csv(path) if path.suffix == ".csv" else rows.write_parquet(path)
        return path

    def run(self, *arguments: str) -> dict[str, Any]:
        command = [*arguments, "-C", str(self.folder), "--json"]
        done = CliRunner().invoke(main, command)
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def data(self) -> dict[str, Any]:
        return self.run("data")

    def refused(self) -> str:
        error = self.data()["error"]
        return f"{error['code']}: {error['message']}"

    def aside(self) -> dict[str, int]:
        """Rows put aside so far, by rule, as the table of quarantine holds them."""
        stored = pl.read_delta(str(self.folder / ".seatrial" / "tables" / "orders.quarantine"))
        return dict(stored.group_by("rule").len().iter_rows())


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def orders(rows: int = 200, first: int = 0) -> pl.DataFrame:
    numbers = range(first, first + rows)
    made = [FIRST + timedelta(hours=number) for number in numbers]
    return pl.DataFrame(
        {
            "order": [f"o{number:05d}" for number in numbers],
            "ordered_at": made,
            "items": [1 + number % 7 for number in numbers],
            "weight": [0.5 + (number * 37 % 100) / 40 for number in numbers],
            "returned": [number % 5 == 0 for number in numbers],
            "settled_at": [at + timedelta(days=9) for at in made],
        },
        schema_overrides={name: pl.Datetime("us", "UTC") for name in ("ordered_at", "settled_at")},
    )


def with_one(rows: pl.DataFrame, line: int, **values: object) -> pl.DataFrame:
    at = pl.int_range(pl.len()) == line
    return rows.with_columns(
        pl.when(at).then(pl.lit(value)).otherwise(pl.col(name)).alias(name) for name, value in values.items()
    )


def test_sound_rows_become_a_snapshot(shop: Shop) -> None:
    shop.deliver(orders())
    assert shop.data()["rows"] == 200


def test_a_truncated_parquet_file_is_refused_by_name(shop: Shop) -> None:
    path = shop.deliver(orders())
    path.write_bytes(path.read_bytes()[:-200])
    assert "source_failed" in shop.refused()
    assert "orders.parquet" in shop.refused()


def test_ragged_lines_are_kept_aside_with_their_numbers(shop: Shop) -> None:
    path = shop.deliver(orders(), "orders.csv")
    lines = path.read_text().splitlines()
    lines[7] = "o00006,only two"
    lines[9] += ",one,two,too many"
    path.write_text("\n".join(lines) + "\n")
    assert shop.data()["rows"] == 198
    assert shop.aside() == {"file.ragged": 2}


def test_a_line_in_another_encoding_is_kept_aside(shop: Shop) -> None:
    path = shop.deliver(orders(), "orders.csv")
    lines = path.read_bytes().splitlines()
    lines[3] = lines[3].replace(b"o00002", "ö00002".encode("latin-1"))
    path.write_bytes(b"\n".join(lines) + b"\n")
    assert shop.data()["rows"] == 199
    assert shop.aside() == {"file.encoding": 1}


def test_a_renamed_column_is_refused_and_the_likely_one_named(shop: Shop) -> None:
    shop.deliver(orders())
    shop.data()
    shop.deliver(orders().rename({"weight": "weights"}))
    error = shop.refused()
    assert "weight" in error
    assert "weights" in error


def test_whole_numbers_that_come_as_floats_are_read_and_fractions_kept_aside(shop: Shop) -> None:
    shop.deliver(orders())
    shop.data()
    floats = orders().with_columns(pl.col("items").cast(pl.Float64))
    shop.deliver(with_one(floats, 3, items=2.5))
    assert shop.data()["rows"] == 199
    assert shop.aside() == {"items.type": 1}


def test_a_change_of_unit_stops_the_source(shop: Shop) -> None:
    shop.deliver(orders())
    shop.data()
    shop.deliver(orders(first=200).with_columns(pl.col("weight") * 1000), "more.parquet")
    assert "weight.drift" in shop.refused()


def test_of_rows_with_one_key_the_last_stands_and_the_others_are_kept_aside(shop: Shop) -> None:
    shop.deliver(pl.concat([orders(), with_one(orders(1), 0, items=9)]))
    assert shop.data()["rows"] == 200
    assert shop.aside() == {"order.unique": 1}


def test_decisions_in_the_future_are_kept_aside(shop: Shop) -> None:
    later = datetime.now(UTC) + timedelta(days=400)
    shop.deliver(with_one(orders(), 5, ordered_at=later))
    shop.data()
    assert shop.aside() == {"ordered_at.future": 1}


def test_times_without_a_zone_are_refused_with_advice(shop: Shop) -> None:
    shop.deliver(orders().with_columns(pl.col("ordered_at").dt.replace_time_zone(None)))
    assert "without a time zone" in shop.refused()


def test_both_hours_of_the_end_of_summer_time_stay_apart(shop: Shop) -> None:
    twice = ["2025-10-26T02:30:00+02:00", "2025-10-26T02:30:00+01:00"]
    night = orders(2).with_columns(
        ordered_at=pl.Series(twice),
        settled_at=pl.Series(["2025-10-27T00:00:00Z"] * 2),
    )
    shop.deliver(night, "night.csv")
    shop.deliver(
        orders(98, first=2).with_columns(pl.col(pl.Datetime).dt.strftime("%Y-%m-%dT%H:%M:%SZ")), "rest.csv"
    )
    snapshot = shop.data()
    assert snapshot["rows"] == 100
    assert snapshot["last_made_at"] == "2025-10-26T01:30:00Z"


def test_no_number_is_missing_and_infinity_is_kept_aside(shop: Shop) -> None:
    odd = with_one(with_one(orders(), 1, weight=float("nan")), 2, weight=float("inf"))
    shop.deliver(odd)
    assert shop.data()["rows"] == 199
    assert shop.aside() == {"weight.type": 1}


def test_an_empty_file_is_refused_by_name(shop: Shop) -> None:
    (shop.folder / "orders" / "orders.csv").write_bytes(b"")
    assert "orders.csv" in shop.refused()


def test_no_rows_are_fewer_than_agreed(shop: Shop) -> None:
    shop.deliver(orders().clear())
    assert "expected at least 1 sound rows, received 0" in shop.refused()


def test_what_was_stored_stays_when_a_later_delivery_is_refused(shop: Shop) -> None:
    shop.deliver(orders())
    first = shop.data()
    shop.deliver(orders().with_columns(pl.lit(0).alias("items")))
    assert "data_refused" in shop.refused()
    assert shop.run("data", "show")["snapshot"]["id"] == first["id"]


def test_a_tightened_contract_needs_a_new_major_version(shop: Shop) -> None:
    shop.deliver(orders())
    shop.data()
    tight = msgspec.structs.replace(
        ORDERS,
        columns=(
            *ORDERS.columns[:2],
            msgspec.structs.replace(ORDERS.columns[2], maximum=3),
            *ORDERS.columns[3:],
        ),
        stop_above=1.0,
    )
    shop.agree(tight, "1.1.0")
    assert "contract_invalid" in shop.refused()
    shop.agree(tight, "2.0.0")
    assert shop.data()["rows"] < 200
