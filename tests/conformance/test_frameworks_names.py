"""Estimators that speak of columns by name are fitted, scored and served with those names."""

import hashlib
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import polars as pl
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

from seatrial.adapters.frameworks.conversion import by_column, takes_names
from seatrial.adapters.frameworks.sklearn import SklearnFramework
from seatrial.adapters.runtimes.estimator import frame
from seatrial.adapters.runtimes.package import read_package
from seatrial.adapters.runtimes.packaged import PackagedRuntime
from seatrial.errors import TrainingFailed
from seatrial.product.features import ColumnInputs, encode
from seatrial.product.product import Product
from tests.fakes.training import parcels, parcels_product

PRODUCT = parcels_product()
EXAMPLES = parcels(PRODUCT, rows=400)
INPUTS = encode(EXAMPLES, PRODUCT.features)
LABELS = EXAMPLES["late"].to_numpy()
# The prototype's own order, which is not the product's.
COLUMNS = ["distance", "city", "heavy", "size", "express"]
FEW = ColumnInputs({name: values[:50] for name, values in INPUTS.items()})

OWN = """
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin


class Far(ClassifierMixin, BaseEstimator):
    def fit(self, rows, labels):
        self.feature_names_in_ = np.asarray(rows.columns)
        self.classes_ = np.array([0, 1])
        self.most_ = float(rows["distance"].max())
        return self

    def predict_proba(self, rows):
        far = np.asarray(rows["distance"]) / self.most_
        return np.column_stack([1 - far, far])


class FittedOnPandas(Far):
    feature_names_in_ = np.array(["distance", "city", "heavy", "size", "express"])

    def fit(self, rows, labels):
        self.first_ = rows.iloc[0]
        return self
"""


def boosting(categories: Any) -> HistGradientBoostingClassifier:
    return HistGradientBoostingClassifier(max_iter=8, min_samples_leaf=5, categorical_features=categories)


def stored(folder: Path, fitted: Any) -> Product:
    joblib.dump(fitted, folder / "prototype.joblib")
    digest = hashlib.sha256((folder / "prototype.joblib").read_bytes()).hexdigest()
    return parcels_product(folder, estimator="prototype.joblib", consented=f"sha256:{digest}")


def refitted(product: Product) -> Any:
    return SklearnFramework().load(product).fit(INPUTS, LABELS, PRODUCT.features, seed=0)


def assert_served_as_fitted(fitted: Any) -> None:
    package = fitted.package_natively(PRODUCT.features)
    assert read_package(package).manifest.columns == tuple(COLUMNS)
    scorer = PackagedRuntime().load(package)
    try:
        assert scorer.score(FEW) == pytest.approx(fitted.score(FEW), abs=1e-12)
    finally:
        scorer.close()


def test_categories_given_by_name_are_fitted_and_served_by_name(tmp_path: Path) -> None:
    prototype = boosting(["city", "express"]).fit(frame(INPUTS, COLUMNS), LABELS)
    fitted = refitted(stored(tmp_path, prototype))
    model = fitted.pipeline.steps[-1][1]
    assert model.is_categorical_.tolist() == [False, True, False, False, True]
    assert fitted.score(FEW) == pytest.approx(prototype.predict_proba(frame(FEW, COLUMNS))[:, 1], abs=0.2)
    assert_served_as_fitted(fitted)


def test_columns_that_a_prototype_knew_as_categories_by_their_type_stay_categories(tmp_path: Path) -> None:
    typed = frame(INPUTS, COLUMNS).with_columns(pl.col("city").cast(pl.Categorical))
    fitted = refitted(stored(tmp_path, boosting("from_dtype").fit(typed, LABELS)))
    assert fitted.pipeline.steps[-1][1].is_categorical_.tolist() == [False, True, False, False, False]


def test_a_parameter_that_maps_names_finds_them(tmp_path: Path) -> None:
    limited = HistGradientBoostingClassifier(max_iter=8, monotonic_cst={"distance": 1})
    numbers = [name for name in COLUMNS if name != "city"]
    limited.set_params(categorical_features=["city"]).fit(frame(INPUTS, COLUMNS), LABELS)
    fitted = refitted(stored(tmp_path, limited))
    rows = {name: np.repeat(INPUTS[name][:1], 5, axis=0) for name in [*numbers, "city"]}
    rows["distance"] = np.linspace(0, 100, 5, dtype=np.float32).reshape(-1, 1)
    assert (np.diff(fitted.score(ColumnInputs(rows))) >= 0).all()


def own(folder: Path, name: str) -> Any:
    """A class of a module in the folder; the module is forgotten, as it is where a prototype is opened later."""
    (folder / "own_model.py").write_text(OWN)
    sys.path.insert(0, str(folder))
    try:
        return getattr(importlib.import_module("own_model"), name)
    finally:
        sys.path.remove(str(folder))


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    yield
    sys.modules.pop("own_model", None)


def test_an_own_class_that_was_fitted_with_names_gets_them_where_it_is_served(tmp_path: Path) -> None:
    product = stored(tmp_path, own(tmp_path, "Far")().fit(frame(INPUTS, COLUMNS), LABELS))
    del sys.modules["own_model"]
    fitted = refitted(product)
    assert fitted.score(FEW) == pytest.approx(INPUTS["distance"][:50, 0] / INPUTS["distance"].max())
    assert_served_as_fitted(fitted)


def test_an_own_class_that_wants_another_frame_is_refused_with_what_to_do(tmp_path: Path) -> None:
    product = stored(tmp_path, own(tmp_path, "FittedOnPandas")())
    with pytest.raises(
        TrainingFailed, match=r"(?s)no attribute 'iloc'.*a Polars frame with these names.*\[0, 3\]"
    ):
        refitted(product)


def test_a_model_that_names_no_column_still_gets_a_matrix() -> None:
    fitted = RandomForestClassifier(n_estimators=2).fit(frame(INPUTS, ["size", "distance"]), LABELS)
    assert fitted.feature_names_in_.tolist() == ["size", "distance"]
    assert not takes_names(by_column(fitted, ["size", "distance"]))
