import numpy as np

from seatrial.measures.ranks import concordance


def test_ties_count_half_on_both_sides() -> None:
    found = concordance(
        np.array([2.0, 1.0, 2.0, 3.0]), np.array([1.0, 0.0, 0.0, 1.0]), np.array([0.0, 1.0, 1.0, 0.0])
    )

    assert found.below.tolist() == [1.5, 0.5, 1.5, 2.0]
    assert found.above.tolist() == [1.5, 2.0, 1.5, 0.5]
