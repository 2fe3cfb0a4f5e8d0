"""A skew in words."""

from datetime import UTC, datetime

from seatrial.cli.data_skew import skew_text
from seatrial.data.causes import CORRECTED, REQUEST, UNEXPLAINED
from seatrial.data.skew import Difference, FeatureSkew, Skew


def feature(name: str, **causes: int) -> FeatureSkew:
    return FeatureSkew(
        feature=name, compared=1200, differing=sum(causes.values()), largest=0.5, causes=causes
    )


def test_a_world_without_skew_says_so() -> None:
    found = Skew(
        product="hotel", answers=1200, compared=1200, missed={}, features=(feature("rain"),), differences=()
    )
    assert skew_text(found) == (
        "1,200 of 1,200 answers found in the sources\n1 features recomputed: none differs"
    )


def test_each_feature_that_differs_comes_with_its_causes_and_values() -> None:
    at = datetime(2025, 1, 1, tzinfo=UTC)
    one = Difference(
        prediction_id="p1", key="b7", made_at=at, feature="rain", served=3.0, recomputed=3.5, cause=CORRECTED
    )
    found = Skew(
        product="hotel",
        answers=1300,
        compared=1200,
        missed={REQUEST: 100},
        features=(feature("rain", **{CORRECTED: 4, UNEXPLAINED: 1}), feature("city")),
        differences=(one,),
    )
    text = skew_text(found)
    assert "1,200 of 1,300 answers found in the sources; 100 request differs from the source" in text
    assert "1 of 2 features differ" in text
    assert "corrected later (4), unexplained (1)" in text
    assert [word for word in ("p1", "b7", "3.0", "3.5") if word not in text] == []
