import math

import msgspec
import numpy as np
import pytest

from seatrial.facts.finding import Verdict
from seatrial.measures.distances import Bins, category_bins, count, numeric_bins, shift


def test_reference_quantiles_hold_equal_shares() -> None:
    reference = np.arange(2000.0)

    counts = count(numeric_bins(reference), reference)

    assert counts.tolist() == [100] * 20 + [0, 0]


def test_missing_and_implausible_numbers_have_their_own_bins() -> None:
    bins = numeric_bins(np.linspace(0.0, 1.0, 1000))

    counts = count(bins, [0.5, math.nan, math.inf, 1.5, -999.0])

    assert counts[-2:].tolist() == [2, 1]
    assert counts.sum() == 5


def test_few_distinct_values_get_a_bin_each() -> None:
    bins = numeric_bins([0.0] * 90 + [1.0] * 9 + [2.0])

    assert count(bins, [0.0, 1.0, 1.0, 2.0]).tolist() == [1, 2, 1, 0, 0]


def test_a_constant_reference_calls_everything_else_other() -> None:
    assert count(numeric_bins([7.0] * 10), [7.0, 8.0]).tolist() == [1, 1, 0]


def test_a_reference_without_numbers_calls_every_number_other() -> None:
    assert count(numeric_bins([math.nan]), [7.0, math.nan]).tolist() == [0, 1, 1]


def test_rare_and_unseen_categories_are_other_and_none_is_missing() -> None:
    bins = category_bins(["a"] * 3 + ["c", "b", "d"], top=2)

    assert bins.categories == ("a", "b")
    assert count(bins, ["a", "b", "d", "new", None, math.nan]).tolist() == [1, 1, 2, 2]


def test_bins_survive_json() -> None:
    for bins in (numeric_bins(np.arange(100.0)), category_bins(["a", "b"]), numeric_bins([math.nan])):
        assert msgspec.json.decode(msgspec.json.encode(bins), type=Bins) == bins


def test_equal_shares_have_no_distance() -> None:
    found = shift([500, 300, 200], [1000, 600, 400])

    assert (found.psi, found.js, found.largest) == (0.0, 0.0, 0.0)
    assert found.excess < 0.0
    assert found.verdict is Verdict.OK


def test_distances_agree_with_a_calculation_by_hand() -> None:
    found = shift([500, 500], [800, 200])

    assert found.psi == pytest.approx(0.3 * math.log(1.6) + 0.3 * math.log(2.5))
    assert found.null_mean == pytest.approx(2 / 1000)
    middle = -0.65 * math.log2(0.65) - 0.35 * math.log2(0.35)
    entropy = (1.0 + -0.8 * math.log2(0.8) - 0.2 * math.log2(0.2)) / 2
    assert found.js == pytest.approx(math.sqrt(middle - entropy))
    assert found.largest == pytest.approx(0.3)
    assert found.worst_bin == 0
    assert found.verdict is Verdict.SHOWN


def test_disjoint_samples_have_the_largest_distance() -> None:
    assert shift([300, 0], [0, 300]).js == pytest.approx(1.0)


def test_a_small_sample_is_not_enough_data() -> None:
    assert shift([500, 500], [0, 99]).verdict is Verdict.NOT_ENOUGH_DATA
    assert shift([500, 500], [0, 0]).verdict is Verdict.NOT_ENOUGH_DATA


def test_sparse_bins_are_put_together() -> None:
    found = shift([1000, 1, 2, 1, 0], [1000, 0, 1, 3, 5])

    assert found.degrees == 1
    assert found.verdict is Verdict.OK


def test_a_design_effect_takes_weight_from_the_evidence() -> None:
    plain, tempered = shift([550, 450], [450, 550]), shift([550, 450], [450, 550], design_effect=10.0)

    assert plain.verdict is Verdict.SHOWN
    assert tempered.verdict is Verdict.OK
    assert tempered.psi == plain.psi
    assert tempered.null_mean == pytest.approx(10 * plain.null_mean)


def test_counts_over_other_bins_are_refused() -> None:
    with pytest.raises(ValueError, match="same bins"):
        shift([1, 2], [1, 2, 3])
    with pytest.raises(ValueError, match="negative"):
        shift([1, -2], [1, 2])
