"""Shares, durations and budgets as people write them."""

import pytest

from seatrial.product.amounts import parse_budget, parse_duration, parse_share, parse_size


@pytest.mark.parametrize(("text", "share"), [("20%", 0.2), ("5%", 0.05), (0.25, 0.25), (1, 1.0), ("0%", 0.0)])
def test_shares(text: object, share: float) -> None:
    assert parse_share(text) == pytest.approx(share)


@pytest.mark.parametrize("text", ["20", "120%", -0.1, True, None, "many%"])
def test_what_is_no_share_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match=r"share|float"):
        parse_share(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("200ms", 0.2),
        ("20m", 1200),
        ("1.5h", 5400),
        ("30d", 2592000),
        ("1 per 7d", 604800),
        (3, 3),
        ("2w", 1209600),
    ],
)
def test_durations(text: object, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["20", "soon", "20 parsecs", True, None, "2 per 7d"])
def test_what_is_no_duration_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "yearly"), [("1 per year", 1), ("2 per month", 24), ("1 per day", 365), (0.5, 0.5)]
)
def test_budgets_are_per_year(text: object, yearly: float) -> None:
    assert parse_budget(text) == pytest.approx(yearly)


@pytest.mark.parametrize("text", ["never", "0 per year", 0, -1, "1 per moon", None])
def test_what_is_no_budget_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="budget"):
        parse_budget(text)


@pytest.mark.parametrize(
    ("text", "size"), [("512MB", 512_000_000), ("2GiB", 2**31), ("1.5 KiB", 1536), (0, 0), (1024, 1024)]
)
def test_sizes(text: object, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["2", "2 GBs", -1, True, None, "GiB"])
def test_what_is_no_size_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="size"):
        parse_size(text)
