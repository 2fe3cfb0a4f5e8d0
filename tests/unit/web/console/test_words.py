from datetime import UTC, datetime, timedelta

import pytest

from seatrial.facts.estimate import Estimate
from seatrial.web.console import words

NARROW = "\u202f"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1234567.4, f"1,234,567{NARROW}USD"),
        (-1234.0, f"\u22121,234{NARROW}USD"),
        (0.12345, f"0.123{NARROW}USD"),
        (12.0, f"12{NARROW}USD"),
        (0.0, f"0{NARROW}USD"),
        (None, "not known yet"),
    ],
)
def test_amounts_have_thousands_separators_and_their_unit(value: float | None, expected: str) -> None:
    assert words.amount(value, "USD") == expected


def test_a_signed_amount_says_plus_or_minus() -> None:
    assert words.amount(2000.0, signed=True) == "+2,000"
    assert words.amount(-2000.0, signed=True) == "\u22122,000"


def test_an_interval_is_said_with_its_confidence_or_that_there_is_none() -> None:
    assert (
        words.interval(Estimate(value=2.0, lower=1.0, upper=3000.0), "EUR") == f"95%: 1 to 3,000{NARROW}EUR"
    )
    assert words.interval(Estimate(value=2.0)) == "too little data for an interval"
    assert words.interval(None) == "too little data to say"


def test_ids_are_cut_to_twelve_and_digests_lose_their_prefix() -> None:
    assert words.short("sha256:" + "ab" * 32) == "abababababab\u2026"
    assert words.short("r0001") == "r0001"


def test_moments_are_written_as_day_minute_and_distance() -> None:
    moment = datetime(2013, 6, 7, 6, 5, tzinfo=UTC)
    assert words.day(moment) == "7 Jun 2013"
    assert words.minute(moment) == "2013-06-07 06:05"
    assert words.days_between(moment, moment + timedelta(days=3)) == "3 days"
    assert words.days_between(moment, moment + timedelta(hours=5)) == "5 hours"
    assert words.day(None) == "not known yet"


def test_a_share_is_a_percentage() -> None:
    assert words.percent(Estimate(value=0.9963)) == "99.6%"
    assert words.percent(None) == "not known yet"
