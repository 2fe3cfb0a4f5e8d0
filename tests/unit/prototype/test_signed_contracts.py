"""The contracts of the real data are whole: read back, with roles, reasons and a horizon."""

from pathlib import Path

import polars as pl
import pytest
import yaml

from seatrial.contract.odcs import read_contract

FOLDER = Path(__file__).parents[3] / "benchmarks" / "contracts"
FILES = sorted(FOLDER.glob("*.yaml"))


def test_there_is_one_for_each_set() -> None:
    assert {file.stem for file in FILES} == {
        "nycflights13",
        "hotel_bookings",
        "bank_marketing",
        "bike_sharing",
        "elec2",
    }


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_contract_names_key_times_outcome_and_a_reason_for_every_column(file: Path) -> None:
    contract = read_contract(file.read_text(), name=file.name)
    table = contract.tables[0]
    assert (table.name, contract.not_enforced) == (file.stem, ())
    assert all(len(table.names(role)) == 1 for role in ("key", "made_at", "known_at"))
    assert table.names("outcome")
    assert all(column.description for column in table.columns)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_horizon_is_an_expression_over_moments_of_the_table(file: Path) -> None:
    schema = yaml.safe_load(file.read_text())["schema"][0]
    said = {one["property"]: one["value"] for one in schema["customProperties"]}
    reads = pl.sql_expr(said["labelHorizon"]).meta.root_names()
    assert set(reads) <= {one["name"] for one in schema["properties"] if one["logicalType"] == "timestamp"}
