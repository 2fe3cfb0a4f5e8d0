import numpy as np
import numpy.typing as npt
import pytest

from seatrial.errors import ModelFailed, TrainingFailed
from seatrial.product.features import encode
from seatrial.train.parity import check_parity, parity_rows
from tests.fakes.training import Counted, CountingModel, parcels, parcels_product

PRODUCT = parcels_product()
INPUTS = encode(parcels(PRODUCT, rows=3000), PRODUCT.features)
SHARES = tuple(np.linspace(0.05, 0.95, 12).tolist())
MODEL = CountingModel(Counted("distance", SHARES))


def test_the_same_model_has_parity() -> None:
    parity = check_parity(MODEL.score(INPUTS), MODEL, INPUTS)
    assert parity.holds
    assert parity.rows == 3000


def test_one_leaf_that_is_off_fails_with_the_numbers() -> None:
    damaged = CountingModel(Counted("distance", (SHARES[0] + 0.002, *SHARES[1:])))
    with pytest.raises(TrainingFailed, match=r"\d+ of 3000 rows differ, by up to 0.002"):
        check_parity(MODEL.score(INPUTS), damaged, INPUTS)


def test_rounding_is_allowed() -> None:
    rounded = CountingModel(Counted("distance", tuple(share + 1e-6 for share in SHARES)))
    assert check_parity(MODEL.score(INPUTS), rounded, INPUTS).largest_difference == pytest.approx(1e-6)


def test_a_score_that_is_no_number_has_no_parity_even_with_itself() -> None:
    broken = CountingModel(Counted("distance", (float("nan"),) * 12))
    with pytest.raises(TrainingFailed, match="3000 of 3000"):
        check_parity(broken.score(INPUTS), broken, INPUTS)


class Refusing(CountingModel):
    """Cannot score what it has not seen."""

    def score(self, inputs: object) -> npt.NDArray[np.float64]:
        raise ModelFailed("model: unknown category")


def test_a_package_that_cannot_score_a_row_has_no_parity() -> None:
    with pytest.raises(TrainingFailed, match=r"expected scores of 3000 rows, .*; model: unknown category"):
        check_parity(MODEL.score(INPUTS), Refusing(MODEL.counted), INPUTS)


def test_real_rows_come_first_and_then_odd_ones() -> None:
    rows = parity_rows(PRODUCT, INPUTS, seed=0)
    assert rows["city"].shape == (3000, 1)
    real, odd = rows["city"][:1500], rows["city"][1500:]
    assert set(real[:, 0]) == {"Bergen", "Oslo", "Turku"}
    assert {"", "\x01unseen"} < set(odd[:, 0])


def test_what_can_be_missing_is_missing_in_some_rows() -> None:
    odd = {name: values[1500:] for name, values in parity_rows(PRODUCT, INPUTS, seed=0).items()}
    assert np.isnan(odd["size"]).sum() > np.isnan(INPUTS["size"]).mean() * 1500 + 100
    assert np.isnan(odd["heavy"]).sum() > np.isnan(INPUTS["heavy"]).mean() * 1500 + 100


def test_what_the_contract_requires_is_never_missing() -> None:
    rows = parity_rows(PRODUCT, INPUTS, seed=0)
    assert not np.isnan(rows["distance"]).any()
    assert not np.isnan(rows["express"]).any()
