import polars as pl
import pytest

from seatrial.errors import TrainingFailed
from seatrial.train.split import split_by_time
from tests.fakes.training import parcels, parcels_product

PRODUCT = parcels_product()


def test_the_newest_days_validate() -> None:
    split = split_by_time(PRODUCT, parcels(PRODUCT))
    assert split.training["sent_at"].max() < split.validation["sent_at"].min()  # type: ignore[operator]


def test_the_share_is_met_as_nearly_as_whole_days_allow() -> None:
    split = split_by_time(PRODUCT, parcels(PRODUCT, rows=4000, days=100))
    assert split.validation.height == pytest.approx(1000, abs=40)


def test_no_row_is_lost_or_doubled() -> None:
    examples = parcels(PRODUCT)
    split = split_by_time(PRODUCT, examples)
    assert pl.concat([split.training, split.validation]).join(examples, "parcel_id", "anti").is_empty()
    assert split.training.height + split.embargoed + split.validation.height == examples.height


def test_rows_train_only_when_their_outcome_was_known_as_validation_began() -> None:
    examples = parcels(PRODUCT)
    split = split_by_time(PRODUCT, examples)
    begin = split.validation["sent_at"].min()
    assert split.training["matured_at"].max() <= begin  # type: ignore[operator]
    late = examples.filter((pl.col("sent_at") < begin) & (pl.col("matured_at") > begin))
    assert split.embargoed == late.height > 0
    assert late.join(split.training, "parcel_id", "semi").is_empty()


def test_older_rows_that_all_mature_too_late_are_refused() -> None:
    slow = parcels(PRODUCT).with_columns(pl.col("matured_at") + pl.duration(days=400))
    with pytest.raises(TrainingFailed, match="none had matured by then"):
        split_by_time(PRODUCT, slow)


def test_one_day_cannot_validate_itself() -> None:
    with pytest.raises(TrainingFailed, match="at least two days"):
        split_by_time(PRODUCT, parcels(PRODUCT, days=1))


def test_no_examples_are_refused_in_the_same_words() -> None:
    with pytest.raises(TrainingFailed, match="found 0 of 0"):
        split_by_time(PRODUCT, parcels(PRODUCT).clear())


def test_training_rows_of_one_outcome_are_refused() -> None:
    examples = parcels(PRODUCT)
    older = split_by_time(PRODUCT, examples).training["sent_at"].max()
    tame = examples.with_columns((pl.col("late") & (pl.col("sent_at") > older)).alias("late"))
    with pytest.raises(TrainingFailed, match=r"training rows, found late=False in all"):
        split_by_time(PRODUCT, tame)
