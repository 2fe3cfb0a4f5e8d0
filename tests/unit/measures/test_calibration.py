import math

import msgspec
import numpy as np
import pytest

from seatrial.measures.calibration import (
    CalibrationMap,
    calibrate,
    expected_calibration_error,
    fit_if_better,
    fit_isotonic,
    recalibration,
)


def test_neighbours_out_of_order_are_pooled() -> None:
    found = fit_isotonic([1.0, 2.0, 3.0, 4.0], [0, 1, 0, 1])

    assert found == CalibrationMap((1.0, 2.0, 3.0, 4.0), (0.0, 0.5, 0.5, 1.0))


def test_equal_scores_get_one_probability() -> None:
    found = fit_isotonic([0.3, 0.3, 0.3, 0.3], [1, 0, 0, 0])

    assert found == CalibrationMap((0.3,), (0.25,))


def test_scores_between_knots_are_interpolated_and_beyond_them_held() -> None:
    found = CalibrationMap((0.2, 0.6), (0.1, 0.5))

    assert calibrate(found, [0.0, 0.4, 0.9]).tolist() == [0.1, pytest.approx(0.3), 0.5]


def test_it_agrees_with_scikit_learn() -> None:
    from sklearn.isotonic import IsotonicRegression  # type: ignore[import-untyped, unused-ignore]

    rng = np.random.default_rng(8)
    scores = rng.integers(0, 60, 500) / 60
    labels = rng.random(500) < scores
    new = rng.random(200)

    theirs = IsotonicRegression(out_of_bounds="clip").fit(scores, labels).predict(new)

    assert calibrate(fit_isotonic(scores, labels), new) == pytest.approx(theirs)


def test_the_map_survives_json() -> None:
    found = fit_isotonic([1.0, 2.0, 3.0], [0, 1, 0])

    assert msgspec.json.decode(msgspec.json.encode(found), type=CalibrationMap) == found


def test_no_rows_give_no_map() -> None:
    with pytest.raises(ValueError, match="at least one row"):
        fit_isotonic([], [])


def test_a_map_is_kept_only_where_it_helps() -> None:
    rng = np.random.default_rng(9)
    p = rng.random(3000)

    assert fit_if_better(p**3, rng.random(3000) < p) is not None
    assert fit_if_better(p, rng.random(3000) < p) is None
    assert fit_if_better([0.5, 0.5], [0, 1]) is None


def test_calibrated_scores_may_have_no_calibration_error_and_skewed_ones_must() -> None:
    rng = np.random.default_rng(10)
    p = rng.random(4000)
    labels = rng.random(4000) < p

    good, bad = expected_calibration_error(p, labels), expected_calibration_error(p**3, labels)

    assert good.lower == 0.0
    assert bad.lower is not None
    assert bad.lower > 0.1
    assert bad.value == pytest.approx(0.25, abs=0.03)
    assert expected_calibration_error([], []).value is None


def test_recalibration_finds_overconfidence() -> None:
    rng = np.random.default_rng(12)
    logits = rng.normal(0, 1.5, 8000)
    labels = rng.random(8000) < 1 / (1 + np.exp(-(0.3 + 0.6 * logits)))

    found = recalibration(1 / (1 + np.exp(-logits)), labels)

    assert found is not None
    assert found.slope.value == pytest.approx(0.6, abs=0.06)
    assert found.intercept.value == pytest.approx(0.3, abs=0.08)
    assert found.slope.upper is not None
    assert found.slope.upper < 1.0


@pytest.mark.parametrize(
    ("p", "labels"),
    [([0.2, 0.8], [1, 1]), ([0.5, 0.5], [0, 1]), ([0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1]), ([], [])],
)
def test_recalibration_that_is_not_determined_is_none(p: list[float], labels: list[int]) -> None:
    assert recalibration(p, labels) is None


def test_the_calibration_error_of_two_bins_is_their_mean_gap() -> None:
    found = expected_calibration_error([0.2, 0.2, 0.8, 0.8], [0, 0, 1, 0], bins=2)

    assert found.value == pytest.approx((0.2 + 0.3) / 2)
    assert found.upper is not None
    assert math.isfinite(found.upper)
