"""`seatrial data quarantine` and `seatrial data why`, on a workspace in a folder, with a classified column."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import msgspec
import polars as pl
import pytest
from click.testing import CliRunner, Result

from seatrial.cli.data_quarantine import quarantine
from seatrial.cli.data_why import why
from seatrial.contract.odcs import write_contract
from seatrial.cycle.tools import SourceHistory
from seatrial.product.product import Product
from seatrial.product.read import read_product
from seatrial.settings import read_settings
from seatrial.wiring import open_workspace
from tests.fakes.clock import MemoryClock
from tests.fakes.sources import MemorySources
from tests.harbour import PRODUCT_FILE, call, frame, harbour_product, tide

NOW = datetime(2025, 1, 20, tzinfo=UTC)
SHIP = "Andrea Gail"


@pytest.fixture(scope="module")
def read_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A product folder whose calls were read; ships are classified, two crews and a basin are not right."""
    folder = tmp_path_factory.mktemp("harbour")
    contract = harbour_product().contract
    tables = tuple(
        msgspec.structs.replace(
            table,
            columns=tuple(
                msgspec.structs.replace(one, classification="confidential" if one.name == "ship" else None)
                for one in table.columns
            ),
        )
        for table in contract.tables
    )
    text = write_contract(msgspec.structs.replace(contract, tables=tables))
    (folder / "product.yaml").write_text(PRODUCT_FILE, encoding="utf-8")
    (folder / "contract.yaml").write_text(text, encoding="utf-8")
    land(folder, read_product(folder))
    return folder


def land(folder: Path, product: Product) -> None:
    rows = [call(number, number, ship=SHIP) for number in range(5)]
    rows += [call(5, 6, ship=SHIP, crew=-7), call(6, 7, ship=SHIP, crew=0)]
    calls = frame("calls", rows).with_columns(pl.col("basin").cast(pl.String))
    wet = calls.head(1).with_columns(call=pl.lit("c7"), basin=pl.lit("wet"))
    frames = {
        "calls": pl.concat([calls, wet]),
        "tides": frame("tides", [tide(0, 4.0)]),
        "ships": frame("ships", [{"ship": SHIP, "length": 20.0}]),
    }
    settings = read_settings({"workspace": str(folder / ".seatrial")}, environment={})
    workspace = open_workspace(settings, MemoryClock(NOW), product=product.name)
    SourceHistory(make_reader=lambda: MemorySources(frames), workspace=workspace).land(product)
    workspace.metadata.close()


@pytest.fixture
def harbour(read_once: Path, tmp_path: Path) -> Path:
    """A copy, for tests that change it."""
    import shutil

    return Path(shutil.copytree(read_once, tmp_path / "harbour"))


def ran(folder: Path, *arguments: str, command: click.Command = quarantine) -> Result:
    return CliRunner().invoke(command, [*arguments, "-C", str(folder)])


def answered(folder: Path, *arguments: str, command: click.Command = quarantine) -> object:
    told = ran(folder, *arguments, "--json", command=command)
    assert told.exit_code == 0, told.output
    return json.loads(told.stdout)


def crew(*more: str) -> list[str]:
    given = ["correct", "--source", "calls", "--rule", "crew.minimum", "--set", "crew = 0 - crew"]
    return [*given, "--why", "typed with a dash", *more]


def test_rows_are_counted_by_rule_and_listed(read_once: Path) -> None:
    told = ran(read_once)
    assert told.exit_code == 0, told.output
    assert "crew.minimum" in told.stdout.splitlines()[2]
    assert "expected" in told.stdout
    found = answered(read_once, "--limit", "1")
    assert isinstance(found, dict)
    assert (found["open"], len(found["rows"])) == (3, 1)
    assert {rule["rule"]: rule["rows"] for rule in found["rules"]} == {"crew.minimum": 2, "basin.type": 1}


@pytest.mark.parametrize(
    ("arguments", "rows"),
    [
        (["--rule", "basin.type"], 1),
        (["--source", "tides"], 0),
        (["--since", "2025-01-21"], 0),
        (["--since", "2025-01-20T00:00:00"], 3),
        (["--load", "1"], 3),
        (["--load", "2"], 0),
        (["--text", "wet"], 1),
        (["--text", "Gail"], 0),
        (["--text", "***"], 3),
    ],
)
def test_rows_are_chosen(read_once: Path, arguments: list[str], rows: int) -> None:
    found = answered(read_once, *arguments)
    assert isinstance(found, dict)
    assert found["open"] == rows


def test_no_command_shows_a_classified_value_unless_it_is_asked_to(harbour: Path) -> None:
    out = harbour / "rows.csv"
    said = [
        ran(harbour, *arguments, *as_json).output
        for arguments in (
            [],
            ["export", "--out", str(out)],
            crew(),
            crew("--yes"),
            ["corrections"],
            ["replay", "--dry-run"],
            ["replay"],
        )
        for as_json in ([], ["--json"])
    ]
    said += [ran(harbour, "c1", "c6", "c99", *as_json, command=why).output for as_json in ([], ["--json"])]
    assert [text for text in [*said, out.read_text(encoding="utf-8")] if SHIP in text] == []
    assert all(said)


@pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl"])
def test_rows_are_exported_and_unmasked_only_with_an_entry_in_the_logbook(harbour: Path, suffix: str) -> None:
    readers: dict[str, Any] = {"csv": pl.read_csv, "parquet": pl.read_parquet, "jsonl": pl.read_ndjson}
    out = harbour / f"rows.{suffix}"
    assert answered(harbour, "export", "--out", str(out)) == {"file": str(out), "rows": 3, "masked": True}
    assert not any(SHIP in row for row in readers[suffix](out)["row"])
    answered(harbour, "export", "--out", str(out), "--unmasked")
    assert all(SHIP in row for row in readers[suffix](out)["row"])
    settings = read_settings({"workspace": str(harbour / ".seatrial")}, environment={})
    with open_workspace(settings).metadata.begin() as transaction:
        exports = [entry for entry in transaction.logbook() if entry.kind == "quarantine exported"]
    assert [(entry.subject, entry.body["rows"]) for entry in exports] == [(out.name, 3)]


def test_a_correction_is_shown_then_recorded_then_replayed_and_withdrawn(harbour: Path) -> None:
    assert "1 open row would pass, 1 would not; --yes records it" in ran(harbour, *crew()).stdout
    assert ran(harbour, "corrections").stdout == "no correction was declared\n"
    assert "c0001 recorded: calls, crew.minimum: crew = 0 - crew" in ran(harbour, *crew("--yes")).stdout
    assert "calls: 1 would be taken in" in ran(harbour, "replay", "--dry-run").stdout
    told = ran(harbour, "replay").stdout
    assert "calls: 1 taken in by load calls-0002" in told
    assert "c0001 let 1 through" in told
    assert "basin.type is still broken: 1" in told
    assert "withdrawn" in ran(harbour, "corrections", "--withdraw", "c0001").stdout
    found = answered(harbour)
    assert isinstance(found, dict)
    assert found["open"] == 2


def test_an_empty_quarantine_says_so(read_once: Path) -> None:
    assert ran(read_once, "--source", "tides").stdout == "no row is put aside\n"


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["export", "--out", "rows.xlsx"], 2, "expected a name that ends in .csv, .parquet, .jsonl"),
        (
            ["correct", "--source", "calls", "--rule", "r", "--set", "crew", "--why", "w"],
            2,
            "expected COLUMN=SQL",
        ),
        ([*crew(), "--set", "crew = 1"], 2, "crew is set twice"),
        (["correct", "--source", "x", "--rule", "r", "--set", "a=1", "--why", "w"], 1, "no source x"),
        (["correct", "--source", "calls", "--rule", "r", "--set", "a=1", "--why", "w"], 1, "no such column"),
        (["corrections", "--withdraw", "c9"], 1, "no correction c9"),
        (["replay", "--source", "x"], 1, "has no source x"),
        (["replay", "--rule", "crew.nope"], 1, "has no rule crew.nope that puts rows aside; it has "),
        (["--source", "x"], 1, "has no source x; it has calls, tides, ships"),
        (["--rule", "crew.nope"], 1, "crew.minimum"),
        (["export", "--out", "rows.csv", "--rule", "crew.nope"], 1, "has no rule crew.nope"),
    ],
)
def test_what_cannot_be_done_is_refused(
    read_once: Path, arguments: list[str], status: int, said: str
) -> None:
    told = ran(read_once, *arguments)
    assert told.exit_code == status
    assert said in told.stderr


def test_why_is_answered_for_each_key(read_once: Path) -> None:
    told = ran(read_once, "c6", "c99", command=why)
    assert told.exit_code == 0, told.output
    assert told.stdout.startswith("c6: put aside: it was put aside on 2025-01-20 00:00 under contract 1.0.0")
    assert "load calls-0001, line 6: crew.minimum: expected at least 1, received 0 (open)" in told.stdout
    assert "c99: never delivered" in told.stdout


def test_text_is_looked_for_in_what_is_shown_and_behind_the_mask_only_with_an_entry(harbour: Path) -> None:
    out = harbour / "rows.csv"
    assert answered(harbour, "export", "--out", str(out), "--text", SHIP) == {
        "file": str(out),
        "rows": 0,
        "masked": True,
    }
    found = answered(harbour, "export", "--out", str(out), "--text", SHIP, "--unmasked")
    assert isinstance(found, dict)
    assert found["rows"] == 3


def test_a_settled_row_says_how_and_by_what(harbour: Path) -> None:
    ran(harbour, *crew("--yes"))
    ran(harbour, "replay")
    told = ran(harbour, "c5", command=why)
    assert "received -7 (settled 20" in told.stdout
    assert "corrected by c0001, load calls-0002)" in told.stdout
