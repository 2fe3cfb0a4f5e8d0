from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from seatrial.facts.finding import Verdict
from seatrial.observe.drift import drift, shifts
from seatrial.observe.window import Window
from seatrial.product.reference import Reference, decode_reference, encode_reference, make_reference
from tests.ledger_streams import FIRST, model, predictions, product

PRODUCT = product()
MODEL = model(loss=0.1, value=1.0)
WINDOW = Window(since=FIRST, until=FIRST + timedelta(days=1), at=FIRST + timedelta(days=2))


def rows(
    seed: int, count: int = 600, *, size: float = 1.0, wind: float = 4.0, kind: str = "box"
) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    sizes, winds = rng.normal(size, 1.0, count), rng.normal(wind, 1.0, count)
    return predictions(
        [
            {
                "prediction_id": f"p{i}",
                "feature_size": float(sizes[i]),
                "feature_wind": float(winds[i]),
                "feature_kind": kind if i % 2 else "bag",
                "score": float(rng.beta(2, 4)),
            }
            for i in range(count)
        ]
    )


def reference(count: int = 2000) -> Reference:
    frame = rows(0, count)
    plain = frame.select(
        pl.col(f"feature_{feature.name}").alias(feature.name) for feature in PRODUCT.features
    )
    return decode_reference(
        encode_reference(make_reference(plain, PRODUCT.features, frame["score"].to_numpy()))
    )


def test_rows_of_the_same_kind_show_no_shift() -> None:
    findings = drift(PRODUCT, MODEL, reference(), rows(1), release="r0001", window=WINDOW)
    assert [(finding.segment, finding.verdict) for finding in findings] == [
        ("score", Verdict.OK),
        ("all features", Verdict.OK),
    ]


def test_a_shift_is_shown_and_never_alarms() -> None:
    findings = drift(
        PRODUCT, MODEL, reference(), rows(1, size=3.0, kind="crate"), release="r0001", window=WINDOW
    )
    assert {finding.verdict for finding in findings} == {Verdict.OK, Verdict.SHOWN}
    assert [finding.segment for finding in findings] == ["score", "all features", "kind", "size"]
    assert "most in 'box'" in findings[2].detail
    assert findings[1].value == pytest.approx(2 / 3)


def test_categories_that_the_reference_never_had_are_named_so() -> None:
    new = rows(1).with_columns(pl.col("prediction_id").alias("feature_kind"))
    found = {one.name: one for one in shifts(MODEL, reference(), new)}["kind"]
    assert found.where == "values never seen"


def test_features_are_ranked_by_distance_times_importance() -> None:
    ranked = shifts(MODEL, reference(), rows(1, size=2.0, wind=5.5))
    assert [one.name for one in ranked] == ["size", "wind", "kind", "score"]
    assert ranked[1].shift.excess > ranked[0].shift.excess


def test_few_rows_say_nothing() -> None:
    findings = drift(PRODUCT, MODEL, reference(), rows(1, 20, size=9.0), release="r0001", window=WINDOW)
    assert {finding.verdict for finding in findings} == {Verdict.NOT_ENOUGH_DATA}


def test_a_shadow_does_not_count() -> None:
    shadow = rows(1, size=9.0).with_columns(pl.lit("shadow").alias("assigned"))
    score = drift(PRODUCT, MODEL, reference(), pl.concat([rows(2), shadow]), release="r0001", window=WINDOW)[
        0
    ]
    assert score.sample_size == 600


def test_shared_shocks_make_a_shift_less_certain() -> None:
    loose = shifts(MODEL, reference(), rows(1, 300, size=1.3))
    strict = shifts(MODEL, reference(), rows(1, 300, size=1.3), design_effect=10.0)
    by_name = [{one.name: one.shift.p_value for one in every}["size"] for every in (loose, strict)]
    assert by_name[0] < by_name[1]
