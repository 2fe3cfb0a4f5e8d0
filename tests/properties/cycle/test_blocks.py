"""However predictions are cut into blocks, their rows are the same; and what is erased takes nobody else along."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial.cycle.columns import predictions_frame
from seatrial.data.sought import sought_value
from seatrial.facts.prediction import PredictionBlock, Variant
from seatrial.facts.records import decode_predictions, encode_record, only_rows
from tests.fakes.training import parcels_product
from tests.fakes.workspace import memory_workspace

PRODUCT = parcels_product()
KEYS = ("ann", "ben", "eve")
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 5), st.floats(width=32), st.sampled_from(["Oslo", "2.5", "ann"])
)


@st.composite
def blocks(draw: st.DrawFn) -> PredictionBlock:
    """A block of up to four rows, with any values in some of the product's features."""
    rows = draw(st.integers(1, 4))
    names = draw(st.sets(st.sampled_from(["city", "size", "express", "heavy"])))
    moments = draw(st.lists(st.integers(0, 2**50), min_size=rows, max_size=rows))
    return PredictionBlock(
        product="late-parcels",
        release=draw(st.sampled_from(["r0001", "r0002"])),
        model_digest="m",
        contract_version="1.0.0",
        prediction_id=[f"p{row}" for row in range(rows)],
        idempotency_key=[None] * rows,
        trace_id=[None] * rows,
        unit=draw(st.none() | st.lists(st.sampled_from(KEYS), min_size=rows, max_size=rows)),
        key=draw(st.lists(st.sampled_from(KEYS), min_size=rows, max_size=rows)),
        assigned=[Variant.LIVE] * rows,
        served=[Variant.LIVE] * rows,
        made_at=moments,
        received_at=moments,
        matured_at=moments,
        score=draw(st.lists(st.none() | st.floats(0, 1), min_size=rows, max_size=rows)),
        decision=[True] * rows,
        baseline=[False] * rows,
        propensity=[1.0] * rows,
        fallback=[None] * rows,
        latency_ms=[0.5] * rows,
        features={name: draw(st.lists(VALUES, min_size=rows, max_size=rows)) for name in sorted(names)},
    )


def framed(parts: list[PredictionBlock]) -> tuple[Any, dict[str, int]]:
    return predictions_frame(parts, memory_workspace(), PRODUCT)


@settings(max_examples=50)
@given(parts=st.lists(blocks(), max_size=4))
def test_blocks_have_the_rows_and_the_misfits_of_their_rows_one_by_one(parts: list[PredictionBlock]) -> None:
    ones = [only_rows(block, [row]) for block in parts for row in range(len(block))]
    (whole, unfit), (single, alike) = framed(parts), framed(ones)
    assert whole.equals(single)
    assert unfit == alike


@settings(max_examples=50)
@given(block=blocks())
def test_erasing_a_key_from_a_record_leaves_every_other_row(block: PredictionBlock) -> None:
    sought = sought_value(PRODUCT, "key", "ann")
    record = encode_record(block)
    left = sought.without(record)
    others = [row for row, key in enumerate(block.key) if key != "ann"]
    kept = [] if left is None else decode_predictions(left).key
    assert kept == [block.key[row] for row in others]
    assert sought.rows_in(record) == len(block) - len(others)
    if len(others) == len(block):
        assert left is record
    if left is not None:
        expected = framed([only_rows(block, others)])[0]
        assert framed([decode_predictions(left)])[0].equals(expected)
