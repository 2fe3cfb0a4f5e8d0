"""The contract in words, and what a new version of it changes."""

import json
from pathlib import Path

import msgspec
import polars as pl
import pytest
from click.testing import CliRunner, Result

from seatrial.cli.contract import contract, contract_text
from seatrial.contract.model import Contract, ForeignKey, Freshness, RowRule, SetRule, TableContract
from seatrial.contract.odcs import read_contract, write_contract
from tests.contracts import WEATHER

OLD = Contract(
    id="sky",
    version="1.0.0",
    tables=(
        msgspec.structs.replace(
            WEATHER,
            foreign_keys=(
                ForeignKey(columns=("origin",), table="weather", to=("origin",), severity="warning"),
            ),
            row_rules=(RowRule(name="calm", expression="wind_speed < 60"),),
            set_rules=(
                SetRule(
                    name="gaps",
                    metric="nullValues",
                    operator="mustBeLessThan",
                    operands=(5.0,),
                    columns=("sky",),
                    unit="percent",
                ),
            ),
            freshness=(Freshness(column="observed_at", seconds=7200),),
        ),
    ),
    not_enforced=("weather.quality soda: rules of the engine soda are not run here",),
)


def with_table(table: TableContract, version: str) -> Contract:
    return msgspec.structs.replace(OLD, tables=(table,), version=version)


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(contract, list(map(str, arguments)))


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return written(tmp_path / "old.yaml", OLD)


def written(path: Path, version: Contract) -> Path:
    path.write_text(write_contract(version))
    return path


def test_a_contract_in_words_names_every_rule_and_what_is_not_enforced() -> None:
    text = contract_text(OLD)
    for words in (
        "contract sky 1.0.0 (active)",
        "a finite number, at least 0, at most 70",
        "one of EWR, JFK, never missing",
        "origin, observed_at never twice together",
        "origin found in weather (origin), else a warning",
        "calm: wind_speed < 60, else put aside",
        "gaps: nullValues of sky mustBeLessThan 5 %, else refused",
        "observed_at at most 2 hours old, else refused",
        "kept, but not enforced here",
    ):
        assert words in text


def test_a_contract_can_be_shown_as_json(old: Path) -> None:
    shown = json.loads(run("show", old, "--json").stdout)
    assert (shown["id"], shown["tables"][0]["name"]) == ("sky", "weather")


def test_a_breaking_change_without_a_major_version_ends_with_status_1(old: Path, tmp_path: Path) -> None:
    narrower = msgspec.structs.replace(OLD.tables[0], columns=WEATHER.columns[1:], unique=(), foreign_keys=())
    refused = run("diff", old, written(tmp_path / "new.yaml", with_table(narrower, "1.1.0")))
    assert refused.exit_code == 1
    assert "column removed" in refused.stdout
    assert "raise it to 2.0.0" in refused.stdout
    meant = run("diff", old, written(tmp_path / "new.yaml", with_table(narrower, "2.0.0")), "--json")
    assert meant.exit_code == 0
    told = json.loads(meant.stdout)
    assert (told["refused"], told["needed"]) == (None, "2.0.0")
    assert told["changes"][0]["place"] == "weather.origin"


def test_versions_that_ask_the_same_have_no_difference(old: Path) -> None:
    assert "they ask the same" in run("diff", old, old).stdout


def test_a_proposal_is_written_once_and_only_replaced_by_force(tmp_path: Path) -> None:
    data, out = tmp_path / "Towns 2.csv", tmp_path / "contract.yaml"
    pl.DataFrame({"town_id": range(200), "n": [1, 2] * 100}).write_csv(data)
    arguments = ("infer", "--data", data, "--name", "towns", "--out", out)
    assert run(*arguments).exit_code == 0
    proposed = read_contract(out.read_text())
    assert (proposed.tables[0].name, proposed.tables[0].primary_key) == ("towns_2", ("town_id",))
    again = run(*arguments)
    assert again.exit_code == 1
    assert "--force replaces it" in again.stderr
    assert run(*arguments, "--force").exit_code == 0


def test_a_proposal_without_a_file_is_the_contract_alone(tmp_path: Path) -> None:
    data = tmp_path / "towns.csv"
    pl.DataFrame({"town_id": range(200)}).write_csv(data)
    assert read_contract(run("infer", "--data", data).stdout).tables[0].name == "towns"
