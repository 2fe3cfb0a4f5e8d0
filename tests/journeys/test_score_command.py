"""`seatrial score` as a person meets it: a launched shop scores files of orders, again, and with others."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner, Result

from seatrial.cli.main import main
from tests import shop
from tests.shop import LAUNCH, NAME, order

pytestmark = pytest.mark.xdist_group("score")
ROWS = 250
ITEMS = "a whole number of 64 bits, at least 1, at most 20"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A product whose first release is live."""
    made = tmp_path_factory.mktemp("shop")
    shop.bring(made)
    brought = ["--model", made / "prototype.joblib", "--data", made / "orders.parquet", "--consent"]
    for command in (
        ["init", "--name", NAME, *brought, "--answers", made / "answers.yaml"],
        ["launch"],
    ):
        done = said(made, *map(str, command))
        assert done.exit_code == 0, done.stderr
    orders = pl.DataFrame(
        [order(10_000 + number, LAUNCH + timedelta(minutes=number)) for number in range(ROWS)]
    )
    half = ROWS // 2
    orders[:half].write_csv(made / "a.csv")
    orders[half:].with_columns(pl.lit("by phone").alias("note")).write_parquet(made / "b.parquet")
    return made


def said(folder: Path, *arguments: str, later: timedelta = timedelta()) -> Result:
    """The command at the launch of the shop, or later."""
    offset = (LAUNCH + later - datetime.now(UTC)).total_seconds()
    environment = {"SEATRIAL_CLOCK_OFFSET": f"{offset:.3f}"}
    return CliRunner().invoke(main, [*arguments, "-C", str(folder)], env=environment)


def scored(folder: Path, output: str, *more: str, inputs: tuple[str, ...] = ("a.csv", "b.parquet")) -> Result:
    return said(
        folder, "score", *(str(folder / one) for one in inputs), "--output", str(folder / output), *more
    )


def told(done: Result) -> Any:
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


def test_files_of_several_formats_become_one_with_an_answer_for_every_order(folder: Path) -> None:
    found = told(scored(folder, "answers.csv", "--batch-rows", "40", "--json"))
    answers = pl.read_csv(folder / "answers.csv")
    assert (found["rows"], found["answered"], found["refused"], found["release"]) == (ROWS, ROWS, 0, "r0001")
    assert answers["key"].to_list() == [f"o{10_000 + number:06d}" for number in range(ROWS)]
    assert answers["score"].is_between(0, 1).all()
    assert answers["made_at"][0] == f"{LAUNCH:%Y-%m-%dT%H:%M:%S}.000000Z"
    again = scored(folder, "answers.csv", "--batch-rows", "40")
    assert again.stdout.startswith("nothing to do: ")
    other = scored(folder, "answers.csv", "--batch-rows", "40", inputs=("a.csv",))
    assert (other.exit_code, "b.parquet is gone" in other.stderr) == (1, True)
    anew = told(scored(folder, "answers.csv", "--restart", "--json", inputs=("a.csv",)))
    assert (anew["rows"], pl.read_csv(folder / "answers.csv").height) == (ROWS // 2, ROWS // 2)


def test_scored_orders_are_settled_like_those_of_requests(folder: Path) -> None:
    before = settled_in_a_month(folder)
    found = told(scored(folder, "awaited", "--json", inputs=("a.csv",)))
    assert found["recorded"]
    assert settled_in_a_month(folder) - before == ROWS // 2
    assert not told(scored(folder, "tried", "--no-record", "--json", inputs=("a.csv",)))["recorded"]
    assert settled_in_a_month(folder) - before == ROWS // 2


def settled_in_a_month(folder: Path) -> int:
    assert said(folder, "observe", later=timedelta(days=30)).exit_code == 0
    counts = json.loads(said(folder, "status", "--json").stdout)["overview"]["outcomes"]
    return int(counts.get("settled", 0))


def test_refused_rows_end_with_status_one_when_they_are_too_many_and_the_answers_are_kept(
    folder: Path,
) -> None:
    orders = pl.read_csv(folder / "a.csv").with_columns(
        items=pl.when(pl.int_range(pl.len()) % 4 == 0).then(pl.lit("many")).otherwise("items")
    )
    orders.write_csv(folder / "wrong.csv")
    many = scored(folder, "wrong", "--refused", str(folder / "refused.jsonl"), inputs=("wrong.csv",))
    assert many.exit_code == 1
    assert "of the rows were refused, more than 5.0%" in many.stderr
    refused = [json.loads(line) for line in (folder / "refused.jsonl").read_text().splitlines()]
    assert [one["row"] for one in refused] == list(range(0, ROWS // 2, 4))
    assert refused[0]["faults"] == [{"field": "items", "expected": ITEMS, "received": '"many"'}]
    assert refused[0]["data"]["order_id"] == "o010000"
    answers = pl.read_parquet(folder / "wrong" / "part-*.parquet")
    assert answers.height + len(refused) == ROWS // 2
    few = scored(
        folder,
        "wrong",
        "--refused",
        str(folder / "refused.jsonl"),
        "--max-refused",
        "30%",
        inputs=("wrong.csv",),
    )
    assert few.exit_code == 0
    assert "warning: 32 rows were refused" in few.stderr


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--resume", "--restart"), "give one of them"),
        (("--max-refused", "lots"), "--max-refused"),
        (("--release", "r0007"), "has no release r0007; there are r0001"),
        (("--refused", "s3://bucket/refused"), "expected a place on this machine's disk"),
    ],
)
def test_what_cannot_be_done_is_said(folder: Path, more: tuple[str, ...], words: str) -> None:
    done = scored(folder, "nothing", *more)
    assert done.exit_code in {1, 2}
    assert words in done.stderr
    assert not (folder / "nothing").exists()
