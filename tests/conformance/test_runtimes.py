"""Every runtime runs what its framework packages."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from seatrial.adapters.frameworks.sklearn import SklearnFramework
from seatrial.adapters.runtimes.onnx import OnnxRuntime
from seatrial.errors import TrainingFailed
from seatrial.ports.runtime import Runtime
from seatrial.product.features import encode
from seatrial.train.ports import Fitted
from tests.fakes.training import CountingFramework, CountingRuntime, parcels, parcels_product

PRODUCT = parcels_product()
EXAMPLES = parcels(PRODUCT, rows=400)
INPUTS = encode(EXAMPLES, PRODUCT.features)
LABELS = EXAMPLES["late"].to_numpy()


@dataclass(frozen=True)
class Packaged:
    """A runtime, a package for it, and the fitted model that the package is of."""

    runtime: Runtime
    package: bytes
    fitted: Fitted


def _counting() -> Packaged:
    fitted = CountingFramework().linear(PRODUCT.features).fit(INPUTS, LABELS, PRODUCT.features, 0)
    return Packaged(CountingRuntime(), fitted.package(PRODUCT.features), fitted)


def _onnx() -> Packaged:
    numbers = tuple(feature for feature in PRODUCT.features if not feature.categorical)
    fitted = SklearnFramework().linear(numbers).fit(INPUTS, LABELS, numbers, 0)
    return Packaged(OnnxRuntime(), fitted.package(numbers), fitted)


@pytest.fixture(scope="module", params=[_counting, _onnx], ids=["counting", "onnx"])
def packaged(request: pytest.FixtureRequest) -> Packaged:
    make: Callable[[], Packaged] = request.param
    return make()


def some(inputs: dict[str, npt.NDArray[Any]], rows: slice) -> dict[str, npt.NDArray[Any]]:
    return {name: values[rows] for name, values in inputs.items()}


def test_a_loaded_package_scores_as_the_fitted_model(packaged: Packaged) -> None:
    scores = packaged.runtime.load(packaged.package).score(INPUTS)
    assert scores.dtype == np.float64
    assert scores.shape == (EXAMPLES.height,)
    assert scores == pytest.approx(packaged.fitted.score(INPUTS), abs=1e-5)


def test_one_row_scores_as_it_does_among_many(packaged: Packaged) -> None:
    scorer = packaged.runtime.load(packaged.package)
    assert scorer.score(some(INPUTS, slice(7, 8))) == pytest.approx(scorer.score(INPUTS)[7:8], abs=1e-6)


def test_no_rows_have_no_scores(packaged: Packaged) -> None:
    assert packaged.runtime.load(packaged.package).score(some(INPUTS, slice(0, 0))).shape == (0,)


def test_several_threads_may_score_at_once(packaged: Packaged) -> None:
    scorer = packaged.runtime.load(packaged.package)
    alone = scorer.score(INPUTS)
    with ThreadPoolExecutor(4) as pool:
        assert all(np.array_equal(alone, scores) for scores in pool.map(scorer.score, [INPUTS] * 40))


@pytest.mark.parametrize("body", [b"", b"no model", b"\x08\x07\x12\x00"])
def test_bytes_that_are_no_model_are_refused(packaged: Packaged, body: bytes) -> None:
    with pytest.raises(TrainingFailed, match="package: expected"):
        packaged.runtime.load(body)


def test_half_a_package_is_refused(packaged: Packaged) -> None:
    with pytest.raises(TrainingFailed, match="package: expected"):
        packaged.runtime.load(packaged.package[: len(packaged.package) // 2])


def test_an_onnx_package_names_the_inputs_that_did_not_come() -> None:
    packaged = _onnx()
    scorer = packaged.runtime.load(packaged.package)
    with pytest.raises(
        TrainingFailed, match=r"expected inputs size, distance, express, heavy; size, heavy did not"
    ):
        scorer.score({name: values for name, values in INPUTS.items() if name in {"distance", "express"}})


def test_an_onnx_package_without_probabilities_is_refused() -> None:
    from skl2onnx import to_onnx
    from sklearn.linear_model import LinearRegression

    numbers = np.arange(10, dtype=np.float32).reshape(-1, 1)
    package = to_onnx(LinearRegression().fit(numbers, numbers), numbers).SerializeToString()
    with pytest.raises(TrainingFailed, match="an output named probabilities, found variable"):
        OnnxRuntime().load(package)
