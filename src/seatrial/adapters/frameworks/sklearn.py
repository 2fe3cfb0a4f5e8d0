"""scikit-learn pipelines: a fitted prototype or a factory, fitted again on our encoding, packaged as ONNX."""

import hashlib
import importlib.util
import io
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from seatrial.errors import MissingExtra, TrainingFailed
from seatrial.product.features import Feature
from seatrial.product.product import Product
from seatrial.train.ports import Inputs

_LIBRARIES = {"sklearn": "scikit-learn", "skl2onnx": "skl2onnx", "onnx": "onnx", "joblib": "joblib"}
_OPSET = {"": 17, "ai.onnx.ml": 3}
_CATEGORIES = 30


_CONVERTING = threading.Lock()


@dataclass(frozen=True)
class SklearnFitted:
    """A fitted pipeline and the order of columns that it was fitted on."""

    pipeline: Any
    columns: tuple[str, ...]

    def score(self, inputs: Inputs) -> npt.NDArray[np.float64]:
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it has no stubs

        try:
            # On a busy machine a second thread makes a small batch wait for it, many times over.
            with threadpool_limits(1):
                probabilities = self.pipeline.predict_proba(_frame(inputs, self.columns))
        except Exception as error:
            raise TrainingFailed(
                f"estimator: the fitted pipeline cannot score rows ({_first_line(error)}); rows with unseen "
                "categories or missing values come in serving too: encode and impute them in the pipeline"
            ) from error
        return np.asarray(probabilities[:, 1], dtype=np.float64)

    def package(self, features: Sequence[Feature]) -> bytes:
        from skl2onnx import convert_sklearn
        from skl2onnx.common.data_types import FloatTensorType, StringTensorType

        categorical = {feature.name for feature in features if feature.categorical}
        types = [
            (name, (StringTensorType if name in categorical else FloatTensorType)([None, 1]))
            for name in self.columns
        ]
        with _quiet_conversion():
            try:
                model = convert_sklearn(
                    self.pipeline,
                    name="seatrial",  # the default is random, and the package would never be the same twice
                    initial_types=types,
                    options={"zipmap": False},
                    target_opset=_OPSET,
                )
            except Exception as error:
                raise TrainingFailed(
                    f"estimator: {_describe(self.pipeline)} cannot be converted to ONNX "
                    f"({type(error).__name__}: {_first_line(error)}); use steps that skl2onnx knows"
                ) from error
        return _canonical(model)


@dataclass(frozen=True)
class SklearnEstimator:
    """An unfitted pipeline. `columns` is the order of its inputs, empty when the features' order will do."""

    name: str
    pipeline: Any
    columns: tuple[str, ...] = ()

    def fit(
        self, inputs: Inputs, labels: npt.NDArray[np.bool_], features: Sequence[Feature], seed: int
    ) -> SklearnFitted:
        from sklearn.base import clone

        columns = self.columns or tuple(feature.name for feature in features)
        pipeline = clone(self.pipeline)
        pipeline.set_params(**{name: seed for name in pipeline.get_params() if _is_seed(name)})
        try:
            # Numbers, not flags: the converter labels classes by integers.
            pipeline.fit(_frame(inputs, columns), labels.astype(np.int64))
        except Exception as error:
            raise TrainingFailed(
                f"estimator {self.name}: could not be fitted on {labels.size} rows of "
                f"{', '.join(columns)} ({type(error).__name__}: {_first_line(error)})"
            ) from error
        _check_classes(pipeline, self.name)
        return SklearnFitted(pipeline, columns)


class SklearnFramework:
    """Loads prototypes and factories. Raises MissingExtra when the training libraries are not installed."""

    def __init__(self) -> None:
        for module, library in _LIBRARIES.items():
            if importlib.util.find_spec(module) is None:
                raise MissingExtra(library, "train")

    def load(self, product: Product) -> SklearnEstimator:
        named = product.file.model.estimator
        if product.folder is None:
            raise TrainingFailed(
                f"estimator {named}: the product was read from a bundle, without the folder that holds its "
                "estimator; read it from its folder to train"
            )
        factory = ":" in named
        made = _make(product.folder, named) if factory else _open(product, product.folder / named)
        if not hasattr(made, "fit") or not hasattr(made, "predict_proba"):
            raise TrainingFailed(
                f"estimator {named}: expected a scikit-learn classifier with predict_proba, "
                f"got {type(made).__name__}"
            )
        names = tuple(feature.name for feature in product.features)
        columns = _known_columns(made, names, named)
        pipeline = _by_column(made, columns or names)
        return SklearnEstimator(f"{named}: {_describe(made)}", pipeline, columns)

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


def _open(product: Product, path: Path) -> Any:
    """The prototype in a file, opened only with consent: opening it runs what its author put inside."""
    import joblib

    if not path.is_file():
        raise TrainingFailed(
            f"estimator: no file {path.name} in {path.parent}; put the fitted prototype there"
        )
    body = path.read_bytes()
    found = f"sha256:{hashlib.sha256(body).hexdigest()}"
    consented = product.file.model.consented
    if found != consented:
        raise TrainingFailed(
            f"estimator {path.name}: its digest is {found}, consent was given to {consented or 'none'}. Opening "
            "the file runs code that is inside it; if you know who made it, consent in product.yaml with\n"
            f"model:\n  consented: {found}"
        )
    try:
        with _importable(path.parent):
            return joblib.load(io.BytesIO(body))
    except Exception as error:
        raise TrainingFailed(
            f"estimator {path.name}: expected a fitted scikit-learn pipeline written by joblib.dump, and could "
            f"not open it ({type(error).__name__}: {_first_line(error)})"
        ) from error


def _make(folder: Path, named: str) -> Any:
    """What the factory `module:function` beside the product file returns."""
    module_name, _, function_name = named.partition(":")
    path = folder.joinpath(*module_name.split(".")).with_suffix(".py")
    if not path.is_file():
        raise TrainingFailed(f"estimator {named}: no file {path.name} in {path.parent}")
    spec = importlib.util.spec_from_file_location(module_name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        with _importable(folder):
            spec.loader.exec_module(module)
            return getattr(module, function_name)()
    except Exception as error:
        raise TrainingFailed(
            f"estimator {named}: expected {path.name} to define {function_name}(), which returns an unfitted "
            f"pipeline; it raised {type(error).__name__}: {_first_line(error)}"
        ) from error


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """Modules of the folder can be imported, and are forgotten afterwards: another product may use their names."""
    known = set(sys.modules)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - known:
            if folder in Path(getattr(sys.modules[name], "__file__", None) or "/").parents:
                del sys.modules[name]


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


def _by_column(pipeline: Any, columns: Sequence[str]) -> Any:
    """The pipeline, taking one input per column: what the converter cannot do for a bare model."""
    from sklearn.base import clone
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import Pipeline

    first = pipeline.steps[0][1] if isinstance(pipeline, Pipeline) else pipeline
    if isinstance(first, ColumnTransformer):
        return clone(pipeline)
    together = ColumnTransformer([("all", "passthrough", list(columns))])
    return Pipeline([("together", together), ("model", clone(pipeline))])


def _check_classes(pipeline: Any, name: str) -> None:
    classes = [int(label) for label in pipeline.classes_]
    if classes != [0, 1]:
        raise TrainingFailed(
            f"estimator {name}: expected both outcomes among the rows to fit on, found only {classes}"
        )


def _frame(inputs: Inputs, columns: Sequence[str]) -> pl.DataFrame:
    # A frame, because pipelines choose their columns by name; from Polars, which needs no further library.
    return pl.DataFrame([_series(name, inputs[name][:, 0]) for name in columns])


def _series(name: str, values: npt.NDArray[Any]) -> pl.Series:
    if values.dtype == object:
        return pl.Series(name, values.tolist(), dtype=pl.String)
    return pl.Series(name, np.ascontiguousarray(values))


@contextmanager
def _quiet_conversion() -> Iterator[None]:
    # Filters belong to the whole process: two conversions at once would restore each other's.
    with _CONVERTING, warnings.catch_warnings():
        # skl2onnx writes booleans into integer lists; protobuf below 7, which we hold to, takes them.
        warnings.filterwarnings(
            "ignore", message=r".*Expected an int, got a boolean", category=DeprecationWarning
        )
        yield


def _canonical(model: Any) -> bytes:
    """The model's bytes, the same in every process: the converter lists operator sets in the order of a hash."""
    opsets = sorted((opset.domain, opset.version) for opset in model.opset_import)
    del model.opset_import[:]
    for domain, version in opsets:
        model.opset_import.add(domain=domain, version=version)
    return bytes(model.SerializeToString(deterministic=True))


def _describe(estimator: Any) -> str:
    """The classes of a pipeline's steps in order."""
    steps = [step for _, step in estimator.steps] if hasattr(estimator, "steps") else [estimator]
    return " → ".join(type(step).__name__ for step in steps)


def _is_seed(parameter: str) -> bool:
    return parameter.rpartition("__")[2] == "random_state"


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
