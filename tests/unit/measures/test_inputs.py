import numpy as np
import pytest

from seatrial.measures.inputs import finite, flags, same_length, within_unit


def test_nan_is_refused_with_a_count() -> None:
    with pytest.raises(ValueError, match="losses: 1 of 3 values are NaN"):
        finite("losses", [0.1, float("nan"), 0.2])


def test_a_table_is_no_array_of_numbers() -> None:
    with pytest.raises(ValueError, match="one dimension"):
        finite("losses", np.zeros((2, 2)))


def test_what_lies_outside_the_unit_range_is_refused() -> None:
    with pytest.raises(ValueError, match=r"received \[0, 1\.5\]"):
        within_unit("p", [0.0, 1.5])


def test_labels_are_true_and_false_or_one_and_zero() -> None:
    assert flags("labels", [1, 0]).tolist() == [True, False]
    with pytest.raises(ValueError, match="fractions"):
        flags("labels", [0.5])


def test_arrays_of_two_lengths_are_named() -> None:
    with pytest.raises(ValueError, match="a: 1, b: 2"):
        same_length(a=np.zeros(1), b=np.zeros(2))
