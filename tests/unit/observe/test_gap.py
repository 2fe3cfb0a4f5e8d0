import pytest

from seatrial.facts.estimate import Estimate
from seatrial.observe.days import Day, merged
from seatrial.observe.gap import Cause, explain

PROMISED = Estimate(value=0.10, lower=0.09, upper=0.11, n=60)


def days(loss: float, expected: float) -> list[Day]:
    """Ten days around a mean loss and a mean expected loss."""
    return [
        Day(
            block=f"2024-03-{day:02}",
            rows=100,
            loss_rows=100,
            loss=100 * (loss + 0.005 * (-1) ** day),
            expected_loss=100 * (expected + 0.001 * (-1) ** day),
        )
        for day in range(1, 11)
    ]


@pytest.mark.parametrize(
    ("loss", "expected", "cause", "words"),
    [
        (0.20, 0.10, Cause.CONCEPT, "no longer follow the scores"),
        (0.20, 0.20, Cause.COVARIATE, "harder"),
        (0.05, 0.05, Cause.COVARIATE, "easier to foresee"),
        (0.30, 0.20, Cause.BOTH, "and the rows have become harder"),
        (0.10, 0.10, Cause.UNCLEAR, "beyond chance"),
    ],
)
def test_the_cause_follows_from_what_moved(loss: float, expected: float, cause: Cause, words: str) -> None:
    found = explain(days(loss, expected), PROMISED)
    assert found.cause is cause
    assert words in found.sentence
    assert found.gap.value == pytest.approx(loss - expected)


def test_one_day_explains_nothing() -> None:
    assert explain(days(0.9, 0.1)[:1], PROMISED).cause is Cause.UNCLEAR
    assert explain([], PROMISED).cause is Cause.UNCLEAR


def test_parts_of_a_day_add_up_and_days_stay_in_order() -> None:
    first, second = Day(block="2024-03-02", rows=2, loss=0.5), Day(block="2024-03-01", rows=1, value=3.0)
    together = merged((first,), [second, first])
    assert [(day.block, day.rows, day.loss) for day in together] == [
        ("2024-03-01", 1, 0.0),
        ("2024-03-02", 4, 1.0),
    ]
