"""Facts in words."""

import pytest

from seatrial.cli.words import bullets, interval, number, share, short, table
from seatrial.facts.estimate import Estimate


@pytest.mark.parametrize(
    ("digest", "said"),
    [
        ("sha256:0123456789abcdef", "0123456789ab"),
        ("0123456789abcdef" * 4, "0123456789ab"),
        ("bookings-0001", "bookings-0001"),
        ("018f-a-prediction-0002", "018f-a-prediction-0002"),
        (None, ""),
    ],
)
def test_only_digests_are_shown_by_their_beginning(digest: str | None, said: str) -> None:
    assert short(digest) == said


@pytest.mark.parametrize(
    ("value", "digits", "said"),
    [(1234567.8, 0, "1,234,568"), (0.12345, 3, "0.123"), (-1500.0, 0, "-1,500"), (None, 2, "-")],
)
def test_a_number_has_thousands_apart(value: float | None, digits: int, said: str) -> None:
    assert number(value, digits) == said


@pytest.mark.parametrize(
    ("estimate", "said"),
    [
        (None, "unknown (too little data)"),
        (Estimate(value=None, lower=None, upper=None, n=0), "unknown (too little data)"),
        (Estimate(value=12.0, lower=None, upper=None, n=1), "12.0 (too little data for an interval)"),
        (Estimate(value=1200.0, lower=-50.0, upper=2450.5, n=90), "1,200.0 [-50.0 … 2,450.5]"),
    ],
)
def test_an_estimate_is_never_shown_without_its_uncertainty(estimate: Estimate | None, said: str) -> None:
    assert interval(estimate, 1) == said


def test_a_table_aligns_text_to_the_left_and_numbers_to_the_right() -> None:
    assert table(("policy", "value"), [("model", "1,200"), ("act always", "-5")]).splitlines() == [
        "policy      value",
        "──────────  ─────",
        "model       1,200",
        "act always     -5",
    ]


def test_a_table_of_nothing_is_its_headers() -> None:
    assert table(("a", "bc"), []).splitlines() == ["a  bc", "─  ──"]


def test_dates_are_text() -> None:
    assert table(("since and until",), [("2024-03-01",)]).splitlines()[-1] == "2024-03-01"


def test_bullets_are_one_line_each() -> None:
    assert bullets(["one", "two"]) == "  • one\n  • two"


def test_a_share_is_never_nothing_for_something() -> None:
    assert [share(value) for value in (0.0, 0.0004, 0.001, 0.345)] == ["0", "<0.1%", "0.1%", "34.5%"]
