"""Times that say no zone are read in the one that is stated; nothing else changes."""

from datetime import UTC, datetime

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from seatrial.contract.check import check_table
from seatrial.contract.model import ColumnContract, TableContract
from seatrial.contract.zones import check_zone, in_zone, with_moments, without_zone
from tests.contracts import AT

SUMMER, TURNED_BACK, SKIPPED = (
    datetime(2017, 7, 1, 12, 30),  # noqa: DTZ001 - times without a zone are the matter here
    datetime(2017, 10, 29, 1, 30),  # noqa: DTZ001
    datetime(2017, 3, 26, 1, 30),  # noqa: DTZ001
)
NAIVE = pl.DataFrame({"at": [SUMMER, TURNED_BACK, None]})
TABLE = TableContract(name="t", columns=(ColumnContract(name="at", type="timestamp"),))


def moments(frame: pl.DataFrame) -> tuple[list[datetime | None], int]:
    """What the contract makes of a column, and how many rows it puts aside."""
    checked = check_table(TABLE, frame, contract_version="1", at=AT)
    return checked.kept["at"].to_list(), checked.rejected


def as_texts(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.col("at").dt.to_string("%Y-%m-%d %H:%M:%S"))


@pytest.mark.parametrize("frame", [NAIVE, as_texts(NAIVE)], ids=["times", "texts"])
def test_times_are_read_in_the_zone_and_of_an_hour_that_comes_twice_the_earlier_is_taken(
    frame: pl.DataFrame,
) -> None:
    summer, turned = datetime(2017, 7, 1, 11, 30, tzinfo=UTC), datetime(2017, 10, 29, 0, 30, tzinfo=UTC)
    assert moments(in_zone(frame, "Europe/Lisbon")) == ([summer, turned, None], 0)
    assert moments(in_zone(frame, "UTC"))[0] == [
        SUMMER.replace(tzinfo=UTC),
        TURNED_BACK.replace(tzinfo=UTC),
        None,
    ]


@pytest.mark.parametrize("as_text", [False, True])
def test_a_time_that_clocks_skip_is_put_aside_and_its_neighbours_stay(*, as_text: bool) -> None:
    frame = pl.DataFrame({"at": [SUMMER, SKIPPED]})
    written = as_texts(frame) if as_text else frame
    kept, rejected = moments(in_zone(written, "Europe/Lisbon"))
    assert (kept, rejected) == ([datetime(2017, 7, 1, 11, 30, tzinfo=UTC)], 1)


def test_what_says_its_zone_and_what_is_no_time_stays_as_it_is() -> None:
    frame = pl.DataFrame(
        {
            "zoned": [datetime(2017, 7, 1, tzinfo=UTC)] * 2,
            "text": ["2017-07-01T12:00:00Z", "2017-07-01T12:00:00+05:00"],
            "day": ["2017-07-01", "soon at 2017-07-01T12:00:00"],
            "date": [SUMMER.date()] * 2,
        }
    )
    assert_frame_equal(in_zone(frame, "Europe/Lisbon"), frame)
    assert without_zone(frame) == []


def test_digits_of_a_text_are_kept_and_lazy_rows_are_the_same() -> None:
    frame = pl.DataFrame({"at": ["2017-07-01t12:30:00.1234567"], "on": [SKIPPED]})
    read = in_zone(frame, "Europe/Lisbon")
    assert read.rows() == [("2017-07-01T12:30:00.1234567+01:00", "2017-03-26T01:30:00.000000")]
    assert_frame_equal(in_zone(frame.lazy(), "Europe/Lisbon").collect(), read)


def test_columns_that_say_no_zone_are_named() -> None:
    frame = NAIVE.with_columns(
        text=pl.lit("2017-07-01 12:30:00"), note=pl.Series(["2017-07-01T12:30:00", "x", None])
    )
    assert without_zone(frame) == ["at", "text"]


def test_texts_become_moments_only_when_all_of_them_are() -> None:
    texts = pl.DataFrame(
        {"at": ["2017-07-01T12:30:00Z", None], "no": ["2017-02-30T12:30:00Z"] * 2, "word": ["x", None]}
    )
    assert with_moments(texts).dtypes == [pl.Datetime("us", "UTC"), pl.String(), pl.String()]


@pytest.mark.parametrize("name", ["Lisbon", "", "../UTC", "Europe", "+01:00"])
def test_a_name_that_is_no_zone_is_refused_with_an_example(name: str) -> None:
    with pytest.raises(ValueError, match="expected an IANA time zone such as UTC or Europe/Lisbon"):
        check_zone(name)
