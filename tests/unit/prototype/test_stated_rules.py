"""What people state of a source beside its columns becomes rules of its contract."""

from typing import Any

import polars as pl
import pytest

from seatrial.contract.model import ForeignKey, Freshness, RowRule, TableContract
from seatrial.errors import ProductFileInvalid
from seatrial.prototype.agreement import first_contract
from seatrial.prototype.draft import Draft

DRAFT = Draft({"examples": {"from": "calls", "key": "id"}, "model": {}}, ())
FRAME = pl.DataFrame({"id": [f"c{n}" for n in range(200)], "n": range(200)})


def stated(**rules: Any) -> TableContract:
    return first_contract("p", DRAFT, {"calls": FRAME}, {"calls": rules}).tables[0]


def test_keys_rules_and_ages_are_taken_as_they_are_stated() -> None:
    table = stated(
        primary_key=["id"],
        foreign_keys=[{"columns": ["id"], "table": "calls", "to": ["id"]}],
        row_rules=[{"name": "small", "expression": "n < 500"}],
        freshness=[{"column": "at", "seconds": 60}],
    )
    assert table.primary_key == ("id",)
    assert table.foreign_keys == (ForeignKey(columns=("id",), table="calls", to=("id",)),)
    assert table.row_rules == (RowRule(name="small", expression="n < 500"),)
    assert table.freshness == (Freshness(column="at", seconds=60),)


def test_shares_by_rule_are_stated_as_a_mapping() -> None:
    column = stated(columns={"n": {"stop_above": {"required": 0.1}, "exclusive_minimum": -1}}).column("n")
    assert column is not None
    assert column.stop_above == (("required", 0.1),)
    assert (column.minimum, column.exclusive_minimum) == (None, -1)


def test_a_rule_without_its_parts_is_told_with_its_place() -> None:
    with pytest.raises(ProductFileInvalid, match=r"contract\.calls: .*expression"):
        stated(row_rules=[{"name": "small"}])
