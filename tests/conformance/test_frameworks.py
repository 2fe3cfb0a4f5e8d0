"""Every framework fits the same way twice; scikit-learn's finds its estimators with consent alone."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OrdinalEncoder
from sklearn.semi_supervised import LabelSpreading
from sklearn.svm import LinearSVC

from seatrial.adapters.frameworks.sklearn import (
    SklearnEstimator,
    SklearnFitted,
    SklearnFramework,
    _by_column,
    _frame,
)
from seatrial.adapters.runtimes.onnx import OnnxRuntime
from seatrial.errors import TrainingFailed
from seatrial.product.features import encode
from seatrial.product.product import Product
from seatrial.train.parity import check_parity, parity_rows
from seatrial.train.ports import Framework
from tests.fakes.training import CountingFramework, parcels, parcels_product

PRODUCT = parcels_product()
EXAMPLES = parcels(PRODUCT, rows=400)
INPUTS = encode(EXAMPLES, PRODUCT.features)
LABELS = EXAMPLES["late"].to_numpy()
NUMBERS = ["heavy", "distance", "size", "express"]

ROOT = Path(__file__).resolve().parents[2]

PACKAGING = """
import hashlib
from tests.conformance.test_frameworks import INPUTS, LABELS, PRODUCT, SklearnEstimator, trees

fitted = SklearnEstimator("trees", trees()).fit(INPUTS, LABELS, PRODUCT.features, seed=0)
print(hashlib.sha256(fitted.package(PRODUCT.features)).hexdigest())
"""

FACTORY = """
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

from settings_of_model import DEPTH

def make():
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    columns = ColumnTransformer([("words", codes, ["city"])], remainder="passthrough")
    return make_pipeline(columns, HistGradientBoostingClassifier(max_iter=5, max_depth=DEPTH))

def broken():
    raise ValueError("no data today")

def regressor():
    from sklearn.linear_model import LinearRegression
    return LinearRegression()
"""


def trees() -> Pipeline:
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, dtype=np.float32)
    columns = ColumnTransformer([("words", codes, ["city"]), ("numbers", "passthrough", NUMBERS)])
    return Pipeline([("columns", columns), ("trees", HistGradientBoostingClassifier(max_iter=10))])


def saved(folder: Path, model: Any, columns: Sequence[str] = ("city", *NUMBERS)) -> Product:
    """A product beside a prototype that was fitted on the columns and consented to."""
    fitted = model.fit(_frame(INPUTS, columns), LABELS)
    return stored(folder, fitted)


def stored(folder: Path, fitted: Any) -> Product:
    joblib.dump(fitted, folder / "prototype.joblib")
    digest = hashlib.sha256((folder / "prototype.joblib").read_bytes()).hexdigest()
    return parcels_product(folder, estimator="prototype.joblib", consented=f"sha256:{digest}")


def factory(folder: Path, function: str) -> Product:
    (folder / "model.py").write_text(FACTORY)
    (folder / "settings_of_model.py").write_text("DEPTH = 3\n")
    return parcels_product(folder, estimator=f"model:{function}")


@pytest.fixture(params=[CountingFramework, SklearnFramework])
def framework(request: pytest.FixtureRequest) -> Framework:
    made: Framework = request.param()
    return made


def test_fitting_twice_gives_the_same_scores(framework: Framework) -> None:
    estimator = framework.linear(PRODUCT.features)
    first, second = (estimator.fit(INPUTS, LABELS, PRODUCT.features, seed=1).score(INPUTS) for _ in range(2))
    assert np.array_equal(first, second)


def test_scores_are_probabilities_of_the_outcome(framework: Framework) -> None:
    scores = framework.linear(PRODUCT.features).fit(INPUTS, LABELS, PRODUCT.features, seed=1).score(INPUTS)
    assert scores.shape == LABELS.shape
    assert ((scores >= 0) & (scores <= 1)).all()
    assert scores[LABELS].mean() > scores[~LABELS].mean()


def test_a_prototype_is_fitted_again_on_other_rows(tmp_path: Path) -> None:
    estimator = SklearnFramework().load(saved(tmp_path, trees()))
    swapped = estimator.fit(INPUTS, ~LABELS, PRODUCT.features, seed=0).score(INPUTS)
    assert swapped[LABELS].mean() < swapped[~LABELS].mean()
    assert estimator.name == "prototype.joblib: ColumnTransformer → HistGradientBoostingClassifier"


def test_a_prototype_is_packaged_with_parity_and_the_same_bytes_every_time(tmp_path: Path) -> None:
    product = saved(tmp_path, trees())
    packages = set()
    for _ in range(2):
        fitted = SklearnFramework().load(product).fit(INPUTS, LABELS, PRODUCT.features, seed=5)
        packages.add(fitted.package(PRODUCT.features))
    (package,) = packages
    rows = parity_rows(PRODUCT, INPUTS, seed=0)
    assert check_parity(fitted, OnnxRuntime().load(package), rows).rows == 2 * EXAMPLES.height


def test_a_package_has_the_same_bytes_in_every_process() -> None:
    with ThreadPoolExecutor() as pool:
        first, second = pool.map(package_digest, (0, 1))
    assert first == second


def package_digest(hash_seed: int) -> str:
    """The digest of one package, made by a fresh interpreter with its own order of sets."""
    settings = {"PYTHONHASHSEED": str(hash_seed), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    environment = {**os.environ, **settings}
    made = subprocess.run(
        [sys.executable, "-c", PACKAGING], env=environment, capture_output=True, text=True, check=True
    )
    return made.stdout.strip()


def test_the_package_has_an_input_for_every_feature(tmp_path: Path) -> None:
    fitted = SklearnFramework().load(saved(tmp_path, trees())).fit(INPUTS, LABELS, PRODUCT.features, seed=0)
    scorer = OnnxRuntime().load(fitted.package(PRODUCT.features))
    assert set(scorer.names) == {feature.name for feature in PRODUCT.features}


def test_a_package_of_another_model_has_no_parity(tmp_path: Path) -> None:
    estimator = SklearnFramework().load(saved(tmp_path, trees()))
    fitted = estimator.fit(INPUTS, LABELS, PRODUCT.features, seed=0)
    other = estimator.fit(INPUTS, np.roll(LABELS, 1), PRODUCT.features, seed=0).package(PRODUCT.features)
    with pytest.raises(TrainingFailed, match="rows differ"):
        check_parity(fitted, OnnxRuntime().load(other), INPUTS)


def test_a_bare_model_of_numbers_is_packaged_too() -> None:
    numbers = tuple(feature for feature in PRODUCT.features if not feature.categorical)
    names = [feature.name for feature in numbers]
    bare = SklearnEstimator("bare", _by_column(HistGradientBoostingClassifier(max_iter=5), names))
    fitted = bare.fit(INPUTS, LABELS, numbers, seed=0)
    assert check_parity(fitted, OnnxRuntime().load(fitted.package(numbers)), INPUTS).holds


def test_a_file_without_consent_is_not_opened(tmp_path: Path) -> None:
    stored(tmp_path, Opened())
    product = parcels_product(tmp_path, estimator="prototype.joblib")
    with pytest.raises(
        TrainingFailed, match=r"(?s)consent was given to none.*consented: sha256:[0-9a-f]{64}"
    ):
        SklearnFramework().load(product)
    assert not Opened.times


def test_a_file_that_changed_after_consent_is_not_opened(tmp_path: Path) -> None:
    product = saved(tmp_path, trees())
    stored(tmp_path, Opened())
    with pytest.raises(TrainingFailed, match="its digest is"):
        SklearnFramework().load(product)
    assert not Opened.times


class Opened:
    """Counts how often it was unpickled."""

    times = 0

    def __setstate__(self, state: object) -> None:
        type(self).times += 1

    def __getstate__(self) -> object:
        return {"something": 1}


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingFailed, match=r"no file prototype\.joblib"):
        SklearnFramework().load(parcels_product(tmp_path, estimator="prototype.joblib"))


def test_a_file_that_is_no_pickle_is_refused(tmp_path: Path) -> None:
    body = b"not a pickle"
    (tmp_path / "prototype.joblib").write_bytes(body)
    digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
    with pytest.raises(TrainingFailed, match="could not open it"):
        SklearnFramework().load(parcels_product(tmp_path, estimator="prototype.joblib", consented=digest))


def test_other_columns_than_the_features_are_listed_on_both_sides(tmp_path: Path) -> None:
    product = saved(tmp_path, LogisticRegression(), ["distance", "express"])
    with pytest.raises(
        TrainingFailed, match=r"(?s)only the estimator: none.*only the product:   city, heavy, size"
    ):
        SklearnFramework().load(product)


def test_a_model_without_probabilities_is_refused(tmp_path: Path) -> None:
    product = saved(tmp_path, LinearSVC(), ["distance", "express"])
    with pytest.raises(TrainingFailed, match="predict_proba, got LinearSVC"):
        SklearnFramework().load(product)


def test_a_product_of_a_bundle_has_no_estimator() -> None:
    with pytest.raises(TrainingFailed, match="read from a bundle"):
        SklearnFramework().load(PRODUCT)


def test_a_factory_beside_the_product_makes_the_estimator(tmp_path: Path) -> None:
    estimator = SklearnFramework().load(factory(tmp_path, "make"))
    fitted = estimator.fit(INPUTS, LABELS, PRODUCT.features, seed=0)
    rows = parity_rows(PRODUCT, INPUTS, seed=0)
    assert check_parity(fitted, OnnxRuntime().load(fitted.package(PRODUCT.features)), rows).holds


@pytest.mark.parametrize(
    ("function", "said"),
    [
        ("broken", "ValueError: no data today"),
        ("absent", "no attribute 'absent'"),
        ("regressor", "predict_proba"),
    ],
)
def test_a_factory_that_does_not_deliver_is_refused_with_its_reason(
    tmp_path: Path, function: str, said: str
) -> None:
    with pytest.raises(TrainingFailed, match=said):
        SklearnFramework().load(factory(tmp_path, function))


def test_modules_of_one_product_do_not_reach_another(tmp_path: Path) -> None:
    deep, flat = tmp_path / "deep", tmp_path / "flat"
    for folder in (deep, flat):
        folder.mkdir()
    products = factory(deep, "make"), factory(flat, "make")
    (flat / "settings_of_model.py").write_text("DEPTH = 1\n")
    depths = [
        SklearnFramework().load(product).pipeline.get_params()["histgradientboostingclassifier__max_depth"]
        for product in products
    ]
    assert depths == [3, 1]


def test_the_seed_reaches_every_step() -> None:
    noisy = HistGradientBoostingClassifier(max_iter=5, max_features=0.3)
    estimator = SklearnEstimator("noisy", Pipeline([("model", noisy)]))
    numbers = tuple(feature for feature in PRODUCT.features if not feature.categorical)
    one, same, other = (estimator.fit(INPUTS, LABELS, numbers, seed).score(INPUTS) for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_rows_of_one_outcome_cannot_be_fitted(tmp_path: Path) -> None:
    estimator = SklearnFramework().load(saved(tmp_path, trees()))
    with pytest.raises(TrainingFailed, match=r"expected both outcomes"):
        estimator.fit(INPUTS, np.ones_like(LABELS), PRODUCT.features, seed=0)


def test_a_pipeline_that_cannot_take_missing_values_says_so() -> None:
    numbers = tuple(feature for feature in PRODUCT.features if feature.name in {"distance", "express"})
    fitted = SklearnEstimator("plain", LogisticRegression()).fit(INPUTS, LABELS, numbers, seed=0)
    blank = {**INPUTS, "distance": np.full_like(INPUTS["distance"], np.nan)}
    with pytest.raises(TrainingFailed, match="impute"):
        fitted.score(blank)


def test_what_onnx_does_not_know_is_refused_by_name() -> None:
    numbers = tuple(feature for feature in PRODUCT.features if feature.name == "distance")
    model = LabelSpreading().fit(INPUTS["distance"], LABELS.astype(int))
    with pytest.raises(TrainingFailed, match="LabelSpreading cannot be converted to ONNX"):
        SklearnFitted(model, ("distance",)).package(numbers)
