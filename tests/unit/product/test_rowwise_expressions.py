"""What an expression may reach: its own row, never another one."""

import pytest

from seatrial.errors import ExpressionInvalid
from seatrial.product.expressions import compile_expression

COLUMNS = {"a": "float", "n": "int", "s": "string", "t": "timestamp", "b": "bool"}


@pytest.mark.parametrize(
    "text",
    [
        "a > AVG(a)",
        "a - MIN(a) > 0",
        "CORR(a, n) > 0",
        "ROW_NUMBER() OVER (ORDER BY a) > 1",
        "LAG(a) OVER (ORDER BY n) > 1",
        "COUNT(*) > 3",
    ],
)
def test_an_expression_that_reaches_other_rows_is_refused(text: str) -> None:
    with pytest.raises(ExpressionInvalid, match="one row alone"):
        compile_expression(text, COLUMNS, "bool", name="rule")


@pytest.mark.parametrize(
    "text",
    ["0.6 * a * n", "CASE WHEN b AND s IN ('x', 'y') THEN -0.4 * a ELSE 0 END", "n / 2", "COALESCE(a, 1)"],
)
def test_numbers_times_columns_are_computed_from_one_row(text: str) -> None:
    assert compile_expression(text, COLUMNS, "number", name="value").type == "float"
