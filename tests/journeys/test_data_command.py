"""`seatrial data` tells what it read now, and whether that made a snapshot."""

from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from seatrial.cli.main import main
from tests.journeys.test_broken_inputs import Shop, orders, with_one


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def said(shop: Shop, *arguments: str) -> str:
    done = CliRunner().invoke(main, ["data", *arguments, "-C", str(shop.folder)])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_what_was_read_now_comes_before_the_snapshot_that_is_made_of_it(shop: Shop) -> None:
    shop.deliver(with_one(orders(), 3, items=5000))
    text = said(shop)
    assert text.index("orders-0001") < text.index("snapshot sha256:")
    broken = next(line for line in text.splitlines() if line.startswith("orders-0001  items.maximum"))
    assert broken.split()[2:] == ["1", "of", "200", "error"]
    assert "no new snapshot" not in text


def test_without_a_new_snapshot_it_says_so_and_why(shop: Shop) -> None:
    shop.deliver(orders())
    first = shop.data()
    assert (first["new"], [load["id"] for load in first["loads"]]) == (True, ["orders-0001"])
    text = said(shop)
    assert text.startswith("read now: nothing new")
    assert "no new snapshot: nothing was added, and nothing that was there has matured since" in text
    assert first["id"] in text
    shop.deliver(pl.concat([orders(), orders(1, first=500).with_columns(settled_at=None, returned=None)]))
    text = said(shop)
    assert "orders-0002" in text
    assert "no new snapshot: of what was read now, no example has matured yet" in text


def test_machines_get_the_snapshot_with_the_loads_made_now(shop: Shop) -> None:
    shop.deliver(orders())
    first, again = shop.data(), shop.data()
    assert (again["id"], again["rows"], again["new"], again["loads"]) == (first["id"], 200, False, [])
    assert {"sources", "rules"} <= set(first)


def test_rows_that_were_not_taken_in_are_shown_where_there_are_any(shop: Shop) -> None:
    shop.deliver(orders())
    shop.data()
    assert "suppressed" not in said(shop, "show")
    whom = shop.folder / "whom.txt"
    whom.write_text("o00007")
    erased = ("erase", "--column", "order", "--value-from", str(whom), "--why", "asked", "--yes")
    said(shop, *erased)
    shop.deliver(orders(201))
    said(shop)
    text = said(shop, "show").splitlines()
    head = next(line for line in text if line.startswith("load "))
    newest = next(line for line in text if line.startswith("orders-0002"))
    assert newest[head.index("suppressed") :].split()[0] == "1"


@pytest.mark.parametrize("group", [["data"], ["data", "quarantine"]])
def test_no_summary_of_a_command_is_cut(group: list[str]) -> None:
    told = CliRunner().invoke(main, [*group, "--help"]).stdout
    listed = told[told.index("Commands:") :].splitlines()[1:]
    assert len(listed) > 3
    assert [line for line in listed if line.endswith("...")] == []
