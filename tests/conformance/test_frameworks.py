"""Every framework fits the same way twice; scikit-learn's finds its estimators with consent alone."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from lightgbm import LGBMClassifier
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OrdinalEncoder
from sklearn.semi_supervised import LabelSpreading
from sklearn.svm import LinearSVC
from xgboost import XGBClassifier

from seatrial.adapters.frameworks.conversion import by_column
from seatrial.adapters.frameworks.sklearn import SklearnEstimator, SklearnFitted, SklearnFramework
from seatrial.adapters.runtimes.estimator import frame
from seatrial.adapters.runtimes.package import read_package
from seatrial.adapters.runtimes.packaged import PackagedRuntime
from seatrial.errors import TrainingFailed
from seatrial.facts.model import Parity
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
    fitted = model.fit(frame(INPUTS, columns), LABELS)
    return stored(folder, fitted)


def stored(folder: Path, fitted: Any) -> Product:
    joblib.dump(fitted, folder / "prototype.joblib")
    digest = hashlib.sha256((folder / "prototype.joblib").read_bytes()).hexdigest()
    return parcels_product(folder, estimator="prototype.joblib", consented=f"sha256:{digest}")


def factory(folder: Path, function: str) -> Product:
    (folder / "model.py").write_text(FACTORY)
    (folder / "settings_of_model.py").write_text("DEPTH = 3\n")
    return parcels_product(folder, estimator=f"model:{function}")


def parity(fitted: SklearnFitted, package: bytes) -> Parity:
    rows = parity_rows(PRODUCT, INPUTS, seed=0)
    scorer = PackagedRuntime().load(package)
    try:
        return check_parity(fitted.score(rows), scorer, rows)
    finally:
        scorer.close()


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
    assert parity(fitted, package).rows == 2 * EXAMPLES.height


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
    inputs = read_package(fitted.package(PRODUCT.features)).manifest.inputs
    found = [name for tensor in inputs for name in tensor.features]
    assert sorted(found) == sorted(feature.name for feature in PRODUCT.features)


def test_a_package_of_another_model_has_no_parity(tmp_path: Path) -> None:
    estimator = SklearnFramework().load(saved(tmp_path, trees()))
    fitted = estimator.fit(INPUTS, LABELS, PRODUCT.features, seed=0)
    other = estimator.fit(INPUTS, np.roll(LABELS, 1), PRODUCT.features, seed=0).package(PRODUCT.features)
    with pytest.raises(TrainingFailed, match="rows differ"):
        check_parity(fitted.score(INPUTS), PackagedRuntime().load(other), INPUTS)


def test_a_bare_model_of_numbers_is_packaged_too() -> None:
    numbers = tuple(feature for feature in PRODUCT.features if not feature.categorical)
    names = [feature.name for feature in numbers]
    bare = SklearnEstimator("bare", by_column(HistGradientBoostingClassifier(max_iter=5), names))
    fitted = bare.fit(INPUTS, LABELS, numbers, seed=0)
    assert parity(fitted, fitted.package(numbers)).holds


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
    assert parity(fitted, fitted.package(PRODUCT.features)).holds


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


OWN_CLASSES = """
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from parts.filling import filled


class Halved(ClassifierMixin, BaseEstimator):
    def __init__(self, model=None):
        self.model = model

    def fit(self, rows, labels):
        self.model_ = LogisticRegression().fit(rows, labels)
        self.classes_ = self.model_.classes_
        return self

    def predict_proba(self, rows):
        half = self.model_.predict_proba(rows)[:, 1] / 2
        return np.column_stack([1 - half, half])


def make():
    numbers = make_pipeline(FunctionTransformer(filled))
    columns = ColumnTransformer([("numbers", numbers, ["distance", "size"])])
    return make_pipeline(columns, Halved())


def anonymous():
    columns = ColumnTransformer([("numbers", FunctionTransformer(lambda rows: rows), ["distance"])])
    return make_pipeline(columns, Halved())
"""


def own_classes(folder: Path, function: str) -> Product:
    (folder / "parts").mkdir()
    (folder / "parts" / "filling.py").write_text(
        "import numpy as np\n\ndef filled(rows):\n    return np.nan_to_num(np.asarray(rows))\n"
    )
    (folder / "model.py").write_text(OWN_CLASSES)
    return parcels_product(folder, estimator=f"model:{function}")


def test_classes_of_the_products_own_modules_are_served_without_its_folder(tmp_path: Path) -> None:
    estimator = SklearnFramework().load(own_classes(tmp_path, "make"))
    fitted = estimator.fit(INPUTS, LABELS, PRODUCT.features, seed=0)
    package = fitted.package_natively(PRODUCT.features)
    shutil.rmtree(tmp_path)
    assert set(read_package(package).sources) == {"model.py", "parts/filling.py"}
    assert parity(fitted, package).holds


def test_a_package_of_library_classes_carries_no_modules(tmp_path: Path) -> None:
    estimator = SklearnFramework().load(factory(tmp_path, "make"))
    fitted = estimator.fit(INPUTS, LABELS, PRODUCT.features, seed=0)
    assert not read_package(fitted.package_natively(PRODUCT.features)).sources


def test_a_function_without_a_name_is_refused_when_its_package_is_tried(tmp_path: Path) -> None:
    estimator = SklearnFramework().load(own_classes(tmp_path, "anonymous"))
    fitted = estimator.fit(INPUTS, LABELS, PRODUCT.features, seed=0)
    with pytest.raises(TrainingFailed, match=r"opens in its own process; .*<lambda>"):
        PackagedRuntime().load(fitted.package_natively(PRODUCT.features))


def test_what_cannot_be_written_without_pickle_is_refused_by_name() -> None:
    model = LogisticRegression().fit(INPUTS["distance"], LABELS)
    model.rest = (row for row in INPUTS["distance"])
    with pytest.raises(TrainingFailed, match="estimator busy: cannot be written without pickle"):
        SklearnFitted(model, ("distance",), "busy").package_natively(PRODUCT.features)


def test_every_step_is_fitted_by_one_thread() -> None:
    forest, boosters = (
        RandomForestClassifier(n_estimators=2, n_jobs=-1),
        LGBMClassifier(n_estimators=2, verbose=-1),
    )
    numbers = tuple(feature for feature in PRODUCT.features if not feature.categorical)
    names = [feature.name for feature in numbers]
    for model in (forest, boosters):
        fitted = SklearnEstimator("jobs", by_column(model, names)).fit(INPUTS, LABELS, numbers, seed=0)
        assert fitted.pipeline.get_params()["model__n_jobs"] == 1


@pytest.mark.parametrize("classifier", [LGBMClassifier, XGBClassifier])
def test_boosters_of_other_libraries_are_converted_alone_and_behind_a_pipeline(classifier: type) -> None:
    numbers = tuple(feature for feature in PRODUCT.features if not feature.categorical)
    names = [feature.name for feature in numbers]
    settings = {"verbosity": 0} if classifier is XGBClassifier else {"verbose": -1}
    alone = by_column(classifier(n_estimators=20, **settings), names)
    piped = Pipeline([*trees().steps[:-1], ("model", classifier(n_estimators=20, **settings))])
    for model, features in ((alone, numbers), (piped, PRODUCT.features)):
        fitted = SklearnEstimator("booster", model).fit(INPUTS, LABELS, features, seed=0)
        assert parity(fitted, fitted.package(features)).holds


@pytest.mark.parametrize(
    "chosen", [["size", "distance"], [1, 2], slice(1, 3), np.array([False, True, True, False, False])]
)
def test_however_a_pipeline_chooses_its_columns_the_package_finds_them(chosen: Any) -> None:
    columns = ColumnTransformer([("some", "passthrough", chosen)])
    model = Pipeline([("columns", columns), ("trees", HistGradientBoostingClassifier(max_iter=5))])
    fitted = SklearnEstimator("chosen", model).fit(INPUTS, LABELS, PRODUCT.features, seed=0)
    assert parity(fitted, fitted.package(PRODUCT.features)).holds


def test_columns_that_two_steps_take_in_another_order_are_not_mixed_up() -> None:
    names = ["size", "distance", "express", "heavy"]
    numbers = tuple(feature for feature in PRODUCT.features if not feature.categorical)
    columns = ColumnTransformer([("one", "passthrough", names), ("other", "passthrough", names[::-1])])
    model = Pipeline([("columns", columns), ("trees", HistGradientBoostingClassifier(max_iter=5))])
    fitted = SklearnEstimator("twice", model, tuple(names)).fit(INPUTS, LABELS, numbers, seed=0)
    assert parity(fitted, fitted.package(numbers)).holds
