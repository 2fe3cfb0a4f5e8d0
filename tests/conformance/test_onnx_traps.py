"""Known ways in which a conversion to ONNX goes wrong: each ends in the model's own library, and is told.

What was seen of each is in the comments; the libraries may mend any of them, and then a test here says so.
"""

from importlib.metadata import version
from typing import Any

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from seatrial.adapters.frameworks import conversion
from seatrial.adapters.frameworks.sklearn import SklearnEstimator
from seatrial.adapters.runtimes.packaged import PackagedRuntime
from seatrial.train.packaging import Packaged, package_with_parity
from tests.fakes.training import parcels, parcels_product

PRODUCT = parcels_product()
EXAMPLES = parcels(PRODUCT, rows=3000)
NUMBERS = ["size", "distance", "express", "heavy"]
CODES = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, dtype=np.float32)


def pipeline(words: Any, numbers: Any, model: Any) -> SklearnEstimator:
    columns = ColumnTransformer([("words", words, ["city"]), ("numbers", numbers, NUMBERS)])
    return SklearnEstimator("trap", Pipeline([("columns", columns), ("model", model)]))


def packaged(estimator: SklearnEstimator) -> Packaged:
    return package_with_parity(PRODUCT, estimator, EXAMPLES, PackagedRuntime())


def assert_native(estimator: SklearnEstimator, reason: str) -> None:
    """The package is native, says why, and answers exactly as the fitted model."""
    found = packaged(estimator)
    assert found.served_by == "native"
    assert reason in found.not_converted
    # The package was opened in its own process, and held against the fitted model there.
    assert found.parity.rows == 3000
    assert found.parity.largest_difference <= 1e-9


def test_trees_with_native_categories_are_converted_wrongly_and_served_natively() -> None:
    # The conversion takes codes for amounts: every row differs, silently.
    trees = HistGradientBoostingClassifier(max_iter=20, categorical_features=[0], min_samples_leaf=5)
    assert_native(pipeline(CODES, "passthrough", trees), "rows differ")


@pytest.mark.parametrize(
    "trees",
    [
        HistGradientBoostingClassifier(max_iter=60, min_samples_leaf=2),
        RandomForestClassifier(n_estimators=40, random_state=0),
    ],
    ids=["boosting", "forest"],
)
def test_trees_behind_a_scaler_round_across_their_cuts_and_are_served_natively(trees: Any) -> None:
    # ONNX scales in float32, scikit-learn in float64: some rows fall on another side of a cut.
    assert_native(pipeline(CODES, StandardScaler(), trees), "rows differ")


def test_a_word_that_was_never_seen_breaks_a_conversion_with_a_least_frequency() -> None:
    # The converted encoder raises; the parity rows hold such words, so nobody's request finds out first.
    words = OneHotEncoder(min_frequency=5, handle_unknown="infrequent_if_exist")
    numbers = Pipeline([("fill", SimpleImputer()), ("scale", StandardScaler())])
    assert_native(pipeline(words, numbers, LogisticRegression(max_iter=1000)), "Unknown Category")


def test_protobuf_is_of_a_version_that_takes_what_the_converter_writes() -> None:
    # Version 7 refuses booleans in lists of integers, which skl2onnx 1.20 writes for tree ensembles.
    assert int(version("protobuf").partition(".")[0]) < 7


def test_a_converter_that_fails_as_with_protobuf_7_costs_speed_and_not_the_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def failing(*_: object) -> bytes:
        raise TypeError("Field onnx.AttributeProto.ints: Expected an int, got a boolean.")

    monkeypatch.setattr(conversion, "_converted", failing)
    found = packaged(pipeline(CODES, "passthrough", HistGradientBoostingClassifier(max_iter=5)))
    assert found.served_by == "native"
    assert "cannot be converted to ONNX (TypeError: Field onnx.AttributeProto.ints" in found.not_converted


def test_trees_on_plain_numbers_and_codes_are_converted() -> None:
    found = packaged(pipeline(CODES, "passthrough", HistGradientBoostingClassifier(max_iter=20)))
    assert (found.served_by, found.not_converted) == ("onnx", "")
