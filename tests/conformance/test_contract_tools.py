"""Contract files are what the tools of the standard take for contracts."""

import importlib
import json
import subprocess
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import polars as pl
import pytest
import yaml

from seatrial.contract.infer import infer_contract
from seatrial.contract.model import (
    ColumnContract,
    Contract,
    ForeignKey,
    Freshness,
    RowRule,
    SetRule,
    TableContract,
)
from seatrial.contract.odcs import read_contract, write_contract
from tests.contracts import WEATHER

ROOT = Path(__file__).parents[2]
LINT = ROOT / ".peers/datacontract-cli/bin/datacontract"
STANDARD = jsonschema.Draft201909Validator(
    json.loads(files("open_data_contract_standard").joinpath("schema.json").read_text())
)
EVERY_RULE = TableContract(
    name="stations",
    columns=(
        ColumnContract(name="code", type="string", role="key", required=True, unique=True, min_length=3),
        ColumnContract(
            name="mail", type="string", format="email", severity="warning", stop_above=(("format", 0.2),)
        ),
        ColumnContract(name="height", type="float", exclusive_minimum=-10, maximum=9000, multiple_of=0.5),
        ColumnContract(
            name="beds", type="int", drift_budget=0.1, stages=("training",), classification="internal"
        ),
        ColumnContract(name="opened", type="date"),
        ColumnContract(name="opens", type="time"),
        ColumnContract(name="seen_at", type="timestamp"),
        ColumnContract(name="tags", type="array"),
        ColumnContract(name="address", type="object"),
    ),
    primary_key=("code",),
    unique=(("opened", "opens"),),
    foreign_keys=(ForeignKey(columns=("code",), table="weather", to=("origin",), severity="warning"),),
    row_rules=(RowRule(name="high", expression="height > beds", severity="warning"),),
    set_rules=(
        SetRule(
            name="busy",
            metric="sql",
            operator="mustBeGreaterThan",
            operands=(1.0,),
            query="SELECT COUNT(*) FROM stations",
        ),
        SetRule(
            name="gaps",
            metric="nullValues",
            operator="mustBeBetween",
            operands=(0.5, 5.0),
            columns=("mail",),
            unit="percent",
        ),
    ),
    freshness=(Freshness(column="seen_at", seconds=7200),),
)
AT = datetime(2025, 1, 1, tzinfo=UTC)
GOOD = pl.DataFrame(
    {
        "origin": ["EWR", "JFK"],
        "observed_at": [AT, AT],
        "wind_speed": [1.0, 2.0],
        "sky": ["clear", "grey"],
    }
)


def written() -> dict[str, str]:
    sample = pl.DataFrame(
        {"id": range(300), "city": ["Oslo", "Rome", "Pisa"] * 100, "n": [0.5, 1.0, 2.5] * 100}
    )
    contracts = {
        "rules": Contract(
            id="rules", version="1.0.0", tables=(WEATHER, EVERY_RULE), description="All of them."
        ),
        "proposed": infer_contract("proposed", {"cities": sample}),
    }
    texts = {name: write_contract(contract) for name, contract in contracts.items()}
    signed = (ROOT / "benchmarks/contracts").glob("*.yaml")
    return texts | {path.stem: write_contract(read_contract(path.read_text())) for path in signed}


@pytest.mark.parametrize("name", sorted(written()))
def test_written_contracts_fit_the_schema_of_the_standard(name: str) -> None:
    STANDARD.validate(yaml.safe_load(written()[name]))


@pytest.mark.skipif(not LINT.exists(), reason="datacontract-cli is not there: make peers")
@pytest.mark.parametrize("name", ["rules", "proposed", "nycflights13"])
def test_datacontract_cli_finds_nothing_in_written_contracts(name: str, tmp_path: Path) -> None:
    path = tmp_path / "contract.odcs.yaml"
    path.write_text(written()[name])
    done = subprocess.run([LINT, "lint", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "Data contract is valid" in done.stdout


def test_datacontract_cli_or_the_schema_would_find_a_mistake() -> None:
    broken = yaml.safe_load(written()["rules"]) | {"colour": "red"}
    with pytest.raises(jsonschema.ValidationError, match="colour"):
        STANDARD.validate(broken)


def flat(part: dict[str, Any]) -> list[dict[str, Any]]:
    """The columns of a table as Pointblank's adapter reads them: a flat list with fields from before 3.0."""
    # Timestamps are left out: its type for them has no zone, ours must have one.
    return [_flat_column(one) for one in part["properties"] if one["logicalType"] != "timestamp"]


def _flat_column(column: dict[str, Any]) -> dict[str, Any]:
    closed = [
        rule["arguments"]["validValues"]
        for rule in column.get("quality", ())
        if rule["metric"] == "invalidValues"
    ]
    return {
        "column": column["name"],
        "logicalType": column["logicalType"],
        "isNullable": not column.get("required", False),
        "isUnique": column.get("unique", False),
        **column.get("logicalTypeOptions", {}),
        **({"enum": closed[0]} if closed else {}),
    }


def interrogated(frame: pl.DataFrame) -> Any:
    pointblank = importlib.import_module("pointblank")
    document = yaml.safe_load(write_contract(Contract(id="c", version="1.0.0", tables=(WEATHER,))))
    imported = pointblank.import_contract(document | {"schema": flat(document["schema"][0])}, format="odcs")
    return imported.to_validate(data=frame.drop("observed_at")).interrogate()


def test_pointblank_passes_a_table_that_keeps_the_written_contract() -> None:
    validation = interrogated(GOOD)
    assert validation.all_passed()
    checked = {(step.assertion_type, str(step.column)) for step in validation.validation_info}
    assert {("col_vals_ge", "wind_speed"), ("col_vals_le", "wind_speed")} <= checked


def test_pointblank_finds_the_rows_that_break_the_written_contract() -> None:
    validation = interrogated(GOOD.with_columns(wind_speed=pl.Series([1.0, 99.0])))
    broken = [step.assertion_type for step in validation.validation_info if not step.all_passed]
    assert broken == ["col_vals_le"]


def test_pointblanks_adapter_does_not_know_tables_of_the_standard_yet() -> None:
    """When this fails, it has learnt `schema[].properties`, and `flat` can go."""
    pointblank = importlib.import_module("pointblank")
    document = yaml.safe_load(write_contract(Contract(id="c", version="1.0.0", tables=(WEATHER,))))
    with pytest.raises(ValueError, match="dataset"):
        pointblank.import_contract(document, format="odcs")
