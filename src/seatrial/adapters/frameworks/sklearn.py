"""scikit-learn pipelines: a fitted prototype or a factory, fitted again on our encoding, and packaged."""

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import numpy.typing as npt

from seatrial.adapters.frameworks.boosters import lightgbm_text, probes
from seatrial.adapters.frameworks.conversion import (
    Converted,
    by_column,
    convert,
    takes_matrix,
    takes_names,
)
from seatrial.adapters.frameworks.folder import find, first_line
from seatrial.adapters.frameworks.native import package_natively, tensors
from seatrial.adapters.runtimes.estimator import frame, probabilities
from seatrial.adapters.runtimes.package import (
    LIGHTGBM_PART,
    ONNX_PART,
    PROBES_PART,
    Manifest,
    write_package,
)
from seatrial.errors import MissingExtra, TrainingFailed
from seatrial.product.features import Feature
from seatrial.product.product import Product
from seatrial.train.ports import Inputs

_LIBRARIES = {"sklearn": "scikit-learn", "skl2onnx": "skl2onnx", "onnx": "onnx", "joblib": "joblib"}
_BOOSTERS = {"lightgbm", "xgboost"}
_CATEGORIES = 30


@dataclass(frozen=True)
class SklearnFitted:
    """A fitted pipeline and the order of columns that it was fitted on.

    `sources` are the texts of the product folder's modules that its classes may come from.
    """

    pipeline: Any
    columns: tuple[str, ...]
    name: str = ""
    sources: Mapping[str, str] = field(default_factory=dict)

    def score(self, inputs: Inputs) -> npt.NDArray[np.float64]:
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it has no stubs

        rows = frame(inputs, self.columns)
        try:
            # On a busy machine a second thread makes a small batch wait for it, many times over.
            with threadpool_limits(1):
                return probabilities(self.pipeline, rows, rows.height)
        except Exception as error:
            raise TrainingFailed(
                f"estimator: the fitted pipeline cannot score rows ({first_line(error)}); rows with unseen "
                "categories or missing values come in serving too: encode and impute them in the pipeline"
            ) from error

    def package(self, features: Sequence[Feature]) -> bytes:
        try:
            converted = convert(self.pipeline, self.columns, features)
        except Exception as error:
            raise TrainingFailed(
                f"estimator: {describe(self.pipeline)} cannot be converted to ONNX "
                f"({type(error).__name__}: {first_line(error)}); use steps that skl2onnx knows"
            ) from error
        parts = {ONNX_PART: converted.model, **_fast_rows(converted)}
        manifest = Manifest(
            kind="onnx", estimator=self.name, inputs=converted.inputs, libraries=_converters(self.pipeline)
        )
        return write_package(manifest, parts)

    def package_natively(self, features: Sequence[Feature]) -> bytes:
        inputs = tensors(self.columns, features)
        if takes_matrix(self.pipeline, self.columns, inputs) and not takes_names(self.pipeline):
            return package_natively(self.pipeline.steps[1][1], self.name, inputs, sources=self.sources)
        return package_natively(self.pipeline, self.name, inputs, columns=self.columns, sources=self.sources)


@dataclass(frozen=True)
class SklearnEstimator:
    """An unfitted pipeline. `columns` is the order of its inputs, empty when the features' order will do."""

    name: str
    pipeline: Any
    columns: tuple[str, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict)

    def fit(
        self, inputs: Inputs, labels: npt.NDArray[np.bool_], features: Sequence[Feature], seed: int
    ) -> SklearnFitted:
        from sklearn.base import clone

        columns = self.columns or tuple(feature.name for feature in features)
        pipeline = clone(self.pipeline)
        pipeline.set_params(**_settings(pipeline, seed))
        try:
            # Numbers, not flags: the converter labels classes by integers.
            pipeline.fit(frame(inputs, columns), labels.astype(np.int64))
        except Exception as error:
            raise TrainingFailed(
                f"estimator {self.name}: could not be fitted on {labels.size} rows of "
                f"{', '.join(columns)} ({type(error).__name__}: {first_line(error)}).\n{_given(pipeline)}"
            ) from error
        _check_classes(pipeline, self.name)
        return SklearnFitted(pipeline, columns, self.name, self.sources)


class SklearnFramework:
    """Loads prototypes and factories. Raises MissingExtra when the training libraries are not installed."""

    def __init__(self) -> None:
        for module, library in _LIBRARIES.items():
            if importlib.util.find_spec(module) is None:
                raise MissingExtra(library, "train")

    def load(self, product: Product) -> SklearnEstimator:
        named = product.file.model.estimator
        found = find(product)
        made = found.estimator
        if not hasattr(made, "fit") or not hasattr(made, "predict_proba"):
            raise TrainingFailed(
                f"estimator {named}: expected a scikit-learn classifier with predict_proba, "
                f"got {type(made).__name__}"
            )
        names = tuple(feature.name for feature in product.features)
        columns = _known_columns(made, names, named)
        pipeline = by_column(made, columns or names)
        return SklearnEstimator(f"{named}: {describe(made)}", pipeline, columns, found.sources)

    def linear(self, features: Sequence[Feature]) -> SklearnEstimator:
        from sklearn.compose import ColumnTransformer
        from sklearn.impute import SimpleImputer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import Pipeline
        from sklearn.preprocessing import OneHotEncoder, StandardScaler

        words = [feature.name for feature in features if feature.categorical]
        numbers = [feature.name for feature in features if not feature.categorical]
        codes = OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=_CATEGORIES)
        filled = SimpleImputer(strategy="median", keep_empty_features=True)
        scaled = Pipeline([("fill", filled), ("scale", StandardScaler())])
        columns = ColumnTransformer([("words", codes, words), ("numbers", scaled, numbers)])
        model = LogisticRegression(max_iter=1000)
        return SklearnEstimator("linear", Pipeline([("columns", columns), ("model", model)]))


def describe(estimator: Any) -> str:
    """The classes of a pipeline's steps in order."""
    steps = [step for _, step in estimator.steps] if hasattr(estimator, "steps") else [estimator]
    return " → ".join(type(step).__name__ for step in steps)


def _fast_rows(converted: Converted) -> dict[str, bytes]:
    """LightGBM's own model beside the converted one, where it is all there is and takes the same matrix."""
    text = lightgbm_text(converted.estimator)
    if text is None or len(converted.inputs) != 1 or converted.inputs[0].text:
        return {}
    rows = probes(text, len(converted.inputs[0].features))
    return {LIGHTGBM_PART: text, PROBES_PART: rows.tobytes()}


def _converters(pipeline: Any) -> dict[str, str]:
    """The versions of the libraries that fitted and converted it."""
    steps = [step for _, step in pipeline.steps] if hasattr(pipeline, "steps") else [pipeline]
    boosters = {_library(step) for step in steps} & _BOOSTERS
    names = {"numpy", "onnx", "scikit-learn", "skl2onnx", *boosters, *(("onnxmltools",) if boosters else ())}
    return {name: found for name in sorted(names) if (found := _version(name))}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        # The same library is distributed under several names.
        return ""


def _settings(pipeline: Any, seed: int) -> dict[str, int]:
    """The seed for every step, and one thread for those that would take several."""
    parameters = pipeline.get_params()
    settings = {}
    for name, value in parameters.items():
        owner, _, last = name.rpartition("__")
        if last == "random_state":
            settings[name] = seed
        # In scikit-learn None is one thread; in these libraries it is every core, for a single row too.
        if last == "n_jobs" and (value is not None or _library(parameters.get(owner, pipeline)) in _BOOSTERS):
            settings[name] = 1
    return settings


def _library(estimator: Any) -> str:
    return type(estimator).__module__.partition(".")[0]


def _known_columns(pipeline: Any, names: tuple[str, ...], named: str) -> tuple[str, ...]:
    """The columns that the prototype was fitted on, in its order; empty when it was fitted without names."""
    known = tuple(str(name) for name in getattr(pipeline, "feature_names_in_", ()))
    if known and set(known) != set(names):
        raise TrainingFailed(
            f"estimator {named}: it was fitted on other columns than the product's features.\n"
            f"  only the estimator: {_listed(set(known) - set(names))}\n"
            f"  only the product:   {_listed(set(names) - set(known))}\n"
            "Name the estimator's columns under model: features: in product.yaml, or fit the prototype again"
        )
    count = getattr(pipeline, "n_features_in_", len(names))
    if not known and count != len(names):
        raise TrainingFailed(
            f"estimator {named}: it was fitted on {count} columns without names, the product has "
            f"{len(names)} features: {', '.join(names)}"
        )
    return known


def _check_classes(pipeline: Any, name: str) -> None:
    classes = [int(label) for label in getattr(pipeline, "classes_", ())]
    if classes != [0, 1]:
        raise TrainingFailed(
            f"estimator {name}: expected both outcomes among the rows to fit on, found only {classes}"
        )


def _given(pipeline: Any) -> str:
    """What the estimator is given, and what can be done when it cannot take that."""
    if takes_names(pipeline):
        return (
            "It is given a Polars frame with these names: float32, and text where the contract has text; not a "
            "pandas frame. Turn it into what the estimator needs in a first step of a pipeline, or speak of columns "
            "by their position, e.g. categorical_features=[0, 3]"
        )
    return (
        "Numbers come as float32 and missing ones as NaN, text as text and missing text as an empty one: encode text "
        "and impute in the pipeline"
    )


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "none"
