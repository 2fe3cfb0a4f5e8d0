"""Retention says what it will remove before it does, and what it removed."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from seatrial.cli.main import main
from tests.journeys.test_broken_inputs import Shop, orders

KEPT = """
governance: {retention: 30d}
objective:
  unit: EUR
  value: CASE WHEN decision AND returned THEN 5 WHEN decision THEN -1 ELSE 0 END
  value_range: [-1, 5]
  baseline: items > 3
  outcome_depends_on_action: no
"""


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    made = Shop(tmp_path)
    made.deliver(orders())
    made.data()
    file = tmp_path / "product.yaml"
    file.write_text(file.read_text() + KEPT)
    return made


def said(shop: Shop, *arguments: str) -> str:
    done = CliRunner().invoke(main, [*arguments, "-C", str(shop.folder)])
    assert done.exit_code == 0, done.output
    return done.stdout


def answered(shop: Shop, *arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(said(shop, *arguments, "--json"))
    return found


def test_check_tells_what_is_too_old_and_the_loop_what_went(shop: Shop) -> None:
    assert "older than governance.retention already: 200 rows of source.orders" in said(shop, "check")
    assert answered(shop, "check")["overdue"] == {"orders.source.orders": 200, "orders.examples": 200}
    assert "retention" not in said(shop, "status")
    assert "retention removed today: 200 rows of examples, 200 rows of source.orders" in said(shop, "observe")
    for command in ("observe", "decide", "status"):
        assert answered(shop, command)["retention"] == {"orders.source.orders": 200, "orders.examples": 200}
    assert "retention removed today: 200 rows" in said(shop, "status")
    assert "governance.retention" not in said(shop, "check")
