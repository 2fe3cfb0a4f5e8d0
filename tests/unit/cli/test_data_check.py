"""`seatrial check --file`: a file against one table of a contract, its failing rows masked, with a verdict."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner, Result

from seatrial.cli.data import check
from seatrial.contract.model import ColumnContract, Contract, TableContract
from seatrial.contract.odcs import write_contract
from tests.harbour import PRODUCT_FILE, TABLES, call, frame

NAME = "Ada Lovelace"
STAYS = TableContract(
    name="stays",
    columns=(
        ColumnContract(name="stay", type="int", required=True, unique=True),
        ColumnContract(name="guest", type="string", classification="restricted", max_length=4),
        ColumnContract(name="nights", type="int", minimum=1, maximum=30),
    ),
)
# Several row groups; the last holds what is wrong.
ROWS, GROUP = 5000, 512


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    contract = Contract(id="hotel", version="1.2.0", tables=(STAYS,))
    (tmp_path / "stays.yaml").write_text(write_contract(contract), encoding="utf-8")
    stays(ROWS).write_parquet(tmp_path / "stays.parquet", row_group_size=GROUP)
    return tmp_path


def stays(count: int) -> pl.DataFrame:
    """All sound but the last thirty: each stays no night, and the very last is a name that is too long, twice."""
    number = pl.int_range(count, eager=True)
    rows = pl.DataFrame({"stay": number, "guest": ["Bob"] * count, "nights": 1 + number % 30})
    last = number >= count - 30
    rows = rows.with_columns(nights=pl.when(last).then(0).otherwise("nights"))
    named = rows.with_columns(guest=pl.when(number == count - 1).then(pl.lit(NAME)).otherwise("guest"))
    return named.with_columns(stay=pl.when(number == 7).then(6).otherwise("stay"))


def ran(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(check, [*arguments, "-C", str(folder)])


def of_stays(folder: Path, *arguments: str) -> Result:
    given = ["--file", str(folder / "stays.parquet"), "--contract", str(folder / "stays.yaml")]
    return ran(folder, *given, *arguments)


def test_a_person_reads_what_broke_the_first_rows_and_the_verdict(folder: Path) -> None:
    told = of_stays(folder)
    assert told.exit_code == 0, told.output
    assert "5,000 rows against stays of hotel 1.2.0" in told.stdout
    assert "31 rows break the contract" in told.stdout  # a row that breaks two rules is one row
    assert "nights.minimum" in told.stdout
    assert "… and 12 more; --out FILE writes all" in told.stdout
    assert told.stdout.endswith("the file would be taken in\n")
    assert "reading" in told.stderr


def test_a_machine_reads_the_same_with_a_profile(folder: Path) -> None:
    told = of_stays(folder, "--json", "--profile")
    found = json.loads(told.stdout)
    assert (found["rows"], found["rejected"], found["accepted"], found["refused"]) == (5000, 31, True, [])
    failed = {rule["rule"]: rule["failed"] for rule in found["rules"] if rule["failed"]}
    assert failed == {"stay.unique": 1, "guest.max_length": 1, "nights.minimum": 30}
    assert len(found["failing"]) == 20
    columns = {column["name"]: column for column in found["profile"]}
    assert (columns["nights"]["minimum"], columns["nights"]["maximum"]) == (0, 30)
    assert columns["guest"]["hidden"]
    assert "median" in of_stays(folder, "--profile").stdout


@pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl"])
def test_all_failing_rows_are_written_and_nothing_shows_a_classified_value(folder: Path, suffix: str) -> None:
    readers: dict[str, Any] = {"csv": pl.read_csv, "parquet": pl.read_parquet, "jsonl": pl.read_ndjson}
    out = folder / f"failing.{suffix}"
    told = of_stays(folder, "--out", str(out))
    assert told.exit_code == 0, told.output
    written = readers[suffix](out)
    assert sorted(set(written["line"])) == [6, *range(4970, 5000)]
    assert written.height == 32
    assert not any(NAME in row for row in written["row"])
    assert NAME not in told.output + of_stays(folder, "--json").output


def test_a_file_that_would_be_refused_ends_with_status_one_and_says_why(folder: Path) -> None:
    stays(60).write_parquet(folder / "stays.parquet")
    told, answered = of_stays(folder), of_stays(folder, "--json")
    assert (told.exit_code, answered.exit_code) == (1, 1)
    assert "more than the 10.0% at which it is refused" in told.stdout
    assert not json.loads(answered.stdout)["accepted"]


def test_a_products_own_contract_and_way_of_writing_csv_are_used(tmp_path: Path) -> None:
    file = PRODUCT_FILE.replace("{path: calls.csv}", "{path: calls.csv, csv: {separator: ';'}}")
    contract = Contract(id="harbour", version="1.0.0", tables=TABLES)
    (tmp_path / "product.yaml").write_text(file, encoding="utf-8")
    (tmp_path / "contract.yaml").write_text(write_contract(contract), encoding="utf-8")
    calls = frame("calls", [call(number, number) for number in range(3)]).with_columns(ship=pl.lit("A, B"))
    calls.write_csv(tmp_path / "new.csv", separator=";", datetime_format="%Y-%m-%dT%H:%M:%SZ")
    told = ran(tmp_path, "--file", str(tmp_path / "new.csv"), "--table", "calls", "--json")
    assert told.exit_code == 0, told.output
    assert (json.loads(told.stdout)["rows"], json.loads(told.stdout)["rejected"]) == (3, 0)
    nameless = ran(tmp_path, "--file", str(tmp_path / "new.csv"))
    assert nameless.exit_code == 2
    assert "expected a table of the contract (calls, tides, ships)" in nameless.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--table", "stays", "--profile"], 2, "--table, --profile needs --file"),
        (["--file", "none.csv", "--contract", "stays.yaml"], 1, "no file at"),
        (["--file", "stays.parquet", "--contract", "stays.yaml", "--table", "x"], 2, "received x"),
        (["--file", "stays.parquet", "--contract", "stays.yaml", "--out", "x.xls"], 2, "ends in .csv"),
    ],
)
def test_what_cannot_be_done_is_refused(
    folder: Path, arguments: list[str], status: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    told = ran(folder, *arguments)
    assert told.exit_code == status
    assert said in told.stderr
