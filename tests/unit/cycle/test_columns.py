"""Prediction blocks as rows of the predictions table."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import polars as pl
import pytest

from seatrial.contract.types import polars_schema
from seatrial.cycle.columns import predictions_frame, predictions_schema
from seatrial.facts.prediction import Prediction, PredictionBlock, Variant
from seatrial.facts.records import decode_predictions, encode_record, microseconds, only_rows
from seatrial.facts.tables import PREDICTIONS
from seatrial.ports.workspace import Workspace
from tests.fakes.training import parcels_product
from tests.fakes.workspace import memory_workspace

AT = datetime(2025, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
PRODUCT = parcels_product()
NAME = "late-parcels.predictions"


def block(release: str, count: int, *, units: list[str] | None = None, **features: Any) -> PredictionBlock:
    """So many predictions of a release; features as lists, by default one city per row."""
    moments = [microseconds(AT + timedelta(seconds=row)) for row in range(count)]
    return PredictionBlock(
        product="late-parcels",
        release=release,
        model_digest=f"model of {release}",
        contract_version="1.0.0",
        prediction_id=[f"{release}-{row}" for row in range(count)],
        idempotency_key=[None] * count,
        trace_id=["trace", *[None] * (count - 1)][:count],
        unit=units,
        key=[f"k{row}" for row in range(count)],
        assigned=[Variant.LIVE] * count,
        served=[Variant.CANARY] * count,
        made_at=moments,
        received_at=moments,
        matured_at=moments,
        score=[None, *[0.25] * (count - 1)][:count],
        decision=[True] * count,
        baseline=[False] * count,
        propensity=[0.5] * count,
        fallback=["model failed", *[None] * (count - 1)][:count],
        latency_ms=[1.5] * count,
        features=features or {"city": [f"city {row}" for row in range(count)]},
    )


@pytest.fixture
def workspace() -> Workspace:
    return memory_workspace()


def framed(workspace: Workspace, *blocks: PredictionBlock) -> tuple[pl.DataFrame, dict[str, int]]:
    return predictions_frame(blocks, workspace, PRODUCT)


def test_rows_of_several_blocks_stand_in_order_with_what_their_block_says_once(workspace: Workspace) -> None:
    frame, unfit = framed(workspace, block("r1", 2), block("r2", 0), block("r3", 1, units=["someone"]))
    assert unfit == {}
    assert frame.schema == pl.Schema(predictions_schema(PRODUCT))
    assert frame["prediction_id"].to_list() == ["r1-0", "r1-1", "r3-0"]
    assert frame["release"].to_list() == ["r1", "r1", "r3"]
    assert frame["model_digest"].to_list() == ["model of r1", "model of r1", "model of r3"]
    assert frame["unit"].to_list() == ["k0", "k1", "someone"]
    assert frame["made_at"].to_list() == [AT, AT + timedelta(seconds=1), AT]
    assert frame["served"].to_list() == ["canary"] * 3
    assert frame["score"].to_list() == [None, 0.25, None]
    assert frame["trace_id"].to_list() == ["trace", None, "trace"]


def test_no_block_gives_no_row_in_the_columns_of_the_table(workspace: Workspace) -> None:
    frame, _ = framed(workspace)
    assert frame.height == 0
    assert frame.schema == pl.Schema(predictions_schema(PRODUCT))


def test_blocks_with_different_features_are_null_where_they_have_none(workspace: Workspace) -> None:
    frame, _ = framed(workspace, block("r1", 2, city=["Oslo", None]), block("r2", 1, size=[2]))
    assert frame["feature_city"].to_list() == ["Oslo", None, None]
    assert frame["feature_size"].to_list() == [None, None, 2.0]


def test_values_that_do_not_fit_are_missing_and_counted_row_by_row(workspace: Workspace) -> None:
    frame, unfit = framed(
        workspace, block("r1", 4, size=["large", 1.5, None, "2"], city=[7, "Oslo", None, True])
    )
    assert unfit == {"feature_size": 1}
    assert frame["feature_size"].to_list() == [None, 1.5, None, 2.0]
    assert frame["feature_city"].to_list() == ["7", "Oslo", None, "true"]


def test_types_are_those_that_are_stored_already(workspace: Workspace) -> None:
    stored = pl.DataFrame({"feature_distance": [1]}, schema={"feature_distance": pl.Int64})
    workspace.tables.append(NAME, stored, writer="earlier", version=1)
    frame, unfit = framed(workspace, block("r1", 2, distance=[2.0, 2.5]))
    assert frame["feature_distance"].to_list() == [2, None]
    assert unfit == {"feature_distance": 1}


def single(**changes: Any) -> Prediction:
    """A prediction as version 0.1.0 wrote it."""
    one = block("r1", 1)
    fixed = {column.name: getattr(one, column.name) for column in PREDICTIONS}
    first = {name: value[0] if isinstance(value, list) else value for name, value in fixed.items()}
    moments = dict.fromkeys(("made_at", "received_at", "matured_at"), AT)
    return Prediction(**{**first, **moments, "unit": "u", "features": {"city": "Oslo"}, **changes})


def test_records_of_single_predictions_are_read_as_blocks_of_one(workspace: Workspace) -> None:
    records = [encode_record(single()), encode_record(block("r2", 2))]
    frame, _ = framed(workspace, *map(decode_predictions, records))
    assert frame["prediction_id"].to_list() == ["r1-0", "r2-0", "r2-1"]
    assert frame["unit"].to_list() == ["u", "k0", "k1"]
    assert frame["made_at"][0] == AT
    assert frame["feature_city"].to_list() == ["Oslo", "city 0", "city 1"]


@pytest.mark.parametrize("broken", [{"key": ["one"]}, {"features": {"city": ["Oslo"]}}, {"unit": ["u"]}])
def test_a_block_whose_columns_differ_in_length_does_not_decode(broken: dict[str, Any]) -> None:
    record = encode_record(msgspec.structs.replace(block("r1", 2), **broken))
    with pytest.raises(msgspec.ValidationError, match="a block of 2 predictions"):
        decode_predictions(record)


@pytest.mark.parametrize("rows", [[], [1], [0, 2]])
def test_a_block_of_some_rows_is_what_those_rows_were(workspace: Workspace, rows: list[int]) -> None:
    whole = block("r1", 3, units=["a", "b", "c"])
    some = decode_predictions(encode_record(only_rows(whole, rows)))
    assert framed(workspace, some)[0].equals(framed(workspace, whole)[0][rows])
    assert polars_schema(PREDICTIONS).items() <= framed(workspace, some)[0].schema.items()
