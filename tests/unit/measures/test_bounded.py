import numpy as np
import pytest

from seatrial.measures import edetector
from seatrial.measures.bounded import Scale, usual_range


def test_values_outside_the_range_are_cut_and_counted() -> None:
    unit, cut = Scale(-400.0, 2000.0).to_unit([-400.0, 800.0, 5000.0])

    assert unit.tolist() == [0.0, 0.5, 1.0]
    assert cut == 1


def test_the_unit_scale_leads_back() -> None:
    scale = Scale(-4.0, 12.0)

    assert scale.from_unit(scale.mean_to_unit(3.0)) == pytest.approx(3.0)


def test_an_empty_range_is_refused() -> None:
    with pytest.raises(ValueError, match="low < high"):
        Scale(1.0, 1.0)


def test_the_usual_range_is_the_mean_and_its_spread() -> None:
    scale = usual_range([1.0, 2.0, 3.0], spread=4.0)

    assert (scale.low, scale.high) == (-2.0, 6.0)


@pytest.mark.parametrize("reference", [[], [1.0], [2.0, 2.0]])
def test_values_without_difference_have_no_usual_range(reference: list[float]) -> None:
    with pytest.raises(ValueError, match="differ"):
        usual_range(reference)


def test_harm_in_money_is_found_on_the_usual_range_and_not_on_that_of_single_decisions() -> None:
    rng = np.random.default_rng(17)
    past, shortfall = rng.normal(-5.0, 3.0, 90), rng.normal(1.0, 3.0, 60)

    def found(scale: Scale) -> int | None:
        unit, _ = scale.to_unit(shortfall)
        return edetector.first_alarm(edetector.start(scale.mean_to_unit(-4.0)), unit, 365.0)[1]

    assert found(usual_range(past)) is not None
    assert found(Scale(-400.0, 2000.0)) is None
