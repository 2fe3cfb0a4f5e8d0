"""Every runtime runs what its framework packages."""

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import msgspec
import numpy as np
import numpy.typing as npt
import pytest
from lightgbm import LGBMClassifier

from seatrial.adapters.frameworks.conversion import by_column
from seatrial.adapters.frameworks.sklearn import SklearnEstimator, SklearnFitted, SklearnFramework
from seatrial.adapters.runtimes import lightgbm
from seatrial.adapters.runtimes.lightgbm import LightgbmScorer
from seatrial.adapters.runtimes.onnx import OnnxScorer
from seatrial.adapters.runtimes.package import (
    LIGHTGBM_PART,
    ONNX_PART,
    PROBES_PART,
    Package,
    read_package,
    write_package,
)
from seatrial.adapters.runtimes.packaged import PackagedRuntime
from seatrial.errors import ModelFailed, TrainingFailed
from seatrial.ports.runtime import Limits, Runtime, Scorer
from seatrial.product.features import ColumnInputs, Feature, encode
from seatrial.train.ports import Fitted
from tests.fakes.training import CountingFramework, CountingRuntime, parcels, parcels_product

PRODUCT = parcels_product()
EXAMPLES = parcels(PRODUCT, rows=400)
INPUTS = encode(EXAMPLES, PRODUCT.features)
LABELS = EXAMPLES["late"].to_numpy()
NUMBERS = tuple(feature for feature in PRODUCT.features if not feature.categorical)
ROOMY = Limits(timeout_seconds=60.0)


@dataclass(frozen=True)
class Packaged:
    """A runtime, a package for it, and the fitted model that the package is of."""

    runtime: Runtime
    package: bytes
    fitted: Fitted
    isolated: bool = False


def _counting() -> Packaged:
    fitted = CountingFramework().linear(PRODUCT.features).fit(INPUTS, LABELS, PRODUCT.features, 0)
    return Packaged(CountingRuntime(), fitted.package(PRODUCT.features), fitted)


def _linear(features: tuple[Feature, ...]) -> SklearnFitted:
    return SklearnFramework().linear(features).fit(INPUTS, LABELS, features, 0)


def _onnx() -> Packaged:
    fitted = _linear(NUMBERS)
    return Packaged(PackagedRuntime(), fitted.package(NUMBERS), fitted)


def _onnx_with_text() -> Packaged:
    fitted = _linear(PRODUCT.features)
    return Packaged(PackagedRuntime(), fitted.package(PRODUCT.features), fitted)


def _lightgbm() -> Packaged:
    names = [feature.name for feature in NUMBERS]
    model = by_column(LGBMClassifier(n_estimators=20, min_child_samples=5, verbose=-1), names)
    fitted = SklearnEstimator("trees", model).fit(INPUTS, LABELS, NUMBERS, 0)
    return Packaged(PackagedRuntime(), fitted.package(NUMBERS), fitted)


def _native() -> Packaged:
    fitted = _linear(PRODUCT.features)
    return Packaged(PackagedRuntime(), fitted.package_natively(PRODUCT.features), fitted, isolated=True)


def _native_numbers() -> Packaged:
    packaged = _lightgbm()
    return Packaged(
        packaged.runtime, packaged.fitted.package_natively(NUMBERS), packaged.fitted, isolated=True
    )


EVERY = (_counting, _onnx, _onnx_with_text, _lightgbm, _native, _native_numbers)


@pytest.fixture(scope="module", params=EVERY, ids=[make.__name__.strip("_") for make in EVERY])
def packaged(request: pytest.FixtureRequest) -> Packaged:
    make: Callable[[], Packaged] = request.param
    return make()


@pytest.fixture(scope="module")
def scorer(packaged: Packaged) -> Iterator[Scorer]:
    loaded = packaged.runtime.load(packaged.package, ROOMY)
    yield loaded
    loaded.close()


def some(inputs: ColumnInputs, rows: slice) -> ColumnInputs:
    return ColumnInputs({name: values[rows] for name, values in inputs.items()})


def test_a_loaded_package_scores_as_the_fitted_model(packaged: Packaged, scorer: Scorer) -> None:
    scores = scorer.score(INPUTS)
    assert scores.dtype == np.float64
    assert scores.shape == (EXAMPLES.height,)
    assert scores == pytest.approx(packaged.fitted.score(INPUTS), abs=1e-5)


def test_one_row_scores_as_it_does_among_many(scorer: Scorer) -> None:
    together = scorer.score(INPUTS)
    for row in range(7, 17):
        alone = scorer.score(some(INPUTS, slice(row, row + 1)))
        assert alone.shape == (1,)
        assert alone == pytest.approx(together[row : row + 1], abs=1e-6)


def test_no_rows_have_no_scores(scorer: Scorer) -> None:
    assert scorer.score(some(INPUTS, slice(0, 0))).shape == (0,)


def test_several_threads_may_score_at_once(scorer: Scorer) -> None:
    together = scorer.score(INPUTS)
    rows = [slice(number, number + 1 + number % 3) for number in range(40)]
    with ThreadPoolExecutor(4) as pool:
        for part, scores in zip(
            rows, pool.map(lambda part: scorer.score(some(INPUTS, part)), rows), strict=True
        ):
            assert scores == pytest.approx(together[part], abs=1e-6)


def test_a_scorer_says_whether_it_runs_in_its_own_process(packaged: Packaged, scorer: Scorer) -> None:
    assert scorer.isolated is packaged.isolated


def test_closing_twice_is_closing_once(packaged: Packaged) -> None:
    loaded = packaged.runtime.load(packaged.package)
    loaded.close()
    loaded.close()


@pytest.mark.parametrize("body", [b"", b"no model", b"\x08\x07\x12\x00", b"PK no zip"])
def test_bytes_that_are_no_model_are_refused(packaged: Packaged, body: bytes) -> None:
    with pytest.raises(TrainingFailed, match="package: expected"):
        packaged.runtime.load(body)


def test_half_a_package_is_refused(packaged: Packaged) -> None:
    with pytest.raises(TrainingFailed, match="package: expected"):
        packaged.runtime.load(packaged.package[: len(packaged.package) // 2])


@pytest.mark.parametrize("make", [_onnx, _lightgbm, _native_numbers])
def test_inputs_that_did_not_come_are_named(make: Callable[[], Packaged]) -> None:
    packaged = make()
    loaded = packaged.runtime.load(packaged.package)
    few = ColumnInputs({name: INPUTS[name] for name in ("distance", "express")})
    try:
        with pytest.raises(
            TrainingFailed, match=r"expected inputs size, distance, express, heavy; size, heavy did not"
        ):
            loaded.score(few)
    finally:
        loaded.close()


def test_an_onnx_model_of_an_older_workspace_takes_one_input_per_feature() -> None:
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType

    fitted = _linear(PRODUCT.features)
    types = [
        (feature.name, (StringTensorType if feature.categorical else FloatTensorType)([None, 1]))
        for feature in PRODUCT.features
    ]
    bare = convert_sklearn(
        fitted.pipeline, initial_types=types, options={"zipmap": False}
    ).SerializeToString()
    assert PackagedRuntime().load(bare).score(INPUTS) == pytest.approx(fitted.score(INPUTS), abs=1e-5)


def test_an_onnx_model_without_probabilities_is_refused() -> None:
    from skl2onnx import to_onnx
    from sklearn.linear_model import LinearRegression

    numbers = np.arange(10, dtype=np.float32).reshape(-1, 1)
    package = to_onnx(LinearRegression().fit(numbers, numbers), numbers).SerializeToString()
    with pytest.raises(TrainingFailed, match="an output named probabilities, found variable"):
        PackagedRuntime().load(package)


def test_rows_that_onnx_runtime_refuses_fail_as_a_models_rows() -> None:
    scorer = PackagedRuntime().load(_onnx().package)
    wide = ColumnInputs({**INPUTS, "size": np.ones((EXAMPLES.height, 2), dtype=np.float32)})
    with pytest.raises(ModelFailed, match="ONNX Runtime could not score these rows"):
        scorer.score(wide)


def test_numbers_come_in_one_matrix_and_text_by_itself() -> None:
    manifest = read_package(_onnx_with_text().package).manifest
    assert [(each.name, each.text) for each in manifest.inputs] == [("numbers", False), ("city", True)]
    assert set(manifest.inputs[0].features) == {feature.name for feature in NUMBERS}


def altered(body: bytes, **parts: bytes) -> bytes:
    """The LightGBM package with other parts, its digests put right."""
    names = {"onnx": ONNX_PART, "text": LIGHTGBM_PART, "probes": PROBES_PART}
    package: Package = read_package(body)
    return write_package(
        package.manifest, {**package.parts, **{names[key]: value for key, value in parts.items()}}
    )


def test_lightgbm_answers_single_rows_and_onnx_the_others() -> None:
    packaged = _lightgbm()
    scorer = PackagedRuntime().load(packaged.package)
    assert isinstance(scorer, LightgbmScorer)
    row = some(INPUTS, slice(3, 4))
    exact = packaged.fitted.score(INPUTS)
    # LightGBM computes in float64; the converted model does not, and shows it in the last digits.
    assert scorer.score(row)[0] == exact[3]
    assert not np.array_equal(scorer.score(INPUTS), exact)


def test_single_rows_that_may_not_be_written_are_scored_too() -> None:
    class ReadOnly(ColumnInputs):
        def matrix(self, names: object) -> npt.NDArray[np.float32]:
            rows = super().matrix(list(self))
            rows.flags.writeable = False
            return rows

    packaged = _lightgbm()
    features = read_package(packaged.package).manifest.inputs[0].features
    inputs = ReadOnly({name: INPUTS[name][:1] for name in features})
    assert PackagedRuntime().load(packaged.package).score(inputs)[0] == packaged.fitted.score(INPUTS)[0]


def test_lightgbm_that_disagrees_with_onnx_is_left_out_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    packaged = _lightgbm()
    assert isinstance(packaged.fitted, SklearnFitted)
    other = SklearnEstimator("trees", packaged.fitted.pipeline).fit(INPUTS, ~LABELS, NUMBERS, 0)
    text = read_package(other.package(NUMBERS)).parts[LIGHTGBM_PART]
    with caplog.at_level(logging.WARNING):
        scorer = PackagedRuntime().load(altered(packaged.package, text=text))
    assert isinstance(scorer, OnnxScorer)
    assert "probes differ by up to" in caplog.text


def test_lightgbm_that_cannot_load_its_model_is_left_out_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        scorer = PackagedRuntime().load(altered(_lightgbm().package, text=b"no model"))
    assert isinstance(scorer, OnnxScorer)
    assert "LightGBM cannot load its model" in caplog.text


def test_without_lightgbm_installed_onnx_serves_every_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lightgbm, "shared_library", lambda: None)
    assert isinstance(PackagedRuntime().load(_lightgbm().package), OnnxScorer)


def test_a_native_model_of_other_versions_is_loaded_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    package = read_package(_native_numbers().package)
    older = replace_version(package)
    with caplog.at_level(logging.WARNING):
        PackagedRuntime().load(older).close()
    assert "scikit-learn 1.0 fitted it, 1." in caplog.text


def replace_version(package: Package) -> bytes:
    libraries = {**package.manifest.libraries, "scikit-learn": "1.0"}
    return write_package(msgspec.structs.replace(package.manifest, libraries=libraries), package.parts)


def test_a_native_model_makes_only_the_types_that_were_in_it() -> None:
    package = read_package(_native_numbers().package)
    assert "lightgbm.basic.Booster" in package.manifest.trusted
    distrusted = write_package(msgspec.structs.replace(package.manifest, trusted=()), package.parts)
    with pytest.raises(TrainingFailed, match=r"UntrustedTypesFoundException"):
        PackagedRuntime().load(distrusted)
