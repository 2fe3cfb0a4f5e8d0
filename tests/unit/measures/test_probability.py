import pytest

from seatrial.measures.probability import (
    chi_square_tail,
    log_normal_cdf,
    normal_quantile,
    student_quantile,
    student_tail,
)


@pytest.mark.parametrize(
    ("probability", "degrees", "expected"),
    [
        (0.975, 1, 12.706204736174694),
        (0.975, 2, 4.302652729749462),
        (0.95, 7, 1.8945786050900062),
        (0.995, 30, 2.7499956535672254),
        (0.975, 1000, 1.9623390808264083),
        (0.25, 3, -0.7648923284043444),
    ],
)
def test_student_quantiles_agree_with_the_tables(probability: float, degrees: int, expected: float) -> None:
    assert student_quantile(probability, degrees) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(
    ("x", "degrees", "expected"),
    [
        (3.84, 1, 0.05004352124870519),
        (0.5, 4, 0.9735009788392561),
        (30, 20, 0.06985366069940986),
        (200, 21, 3.6230556333226084e-31),
        (1000, 22, 1.9563743958467306e-197),
        (15, 30, 0.9897395720876574),
        (0, 3, 1.0),
    ],
)
def test_chi_square_tails_agree_with_the_tables(x: float, degrees: int, expected: float) -> None:
    assert chi_square_tail(x, degrees) == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        (2.0, -0.023012909328963476),
        (-1.0, -1.8410216450092634),
        (-29.9, -451.3229124585287),
        (-30.1, -457.32956441638237),
        (-35.0, -616.9751012619225),
    ],
)
def test_the_lower_normal_tail_does_not_underflow(x: float, expected: float) -> None:
    assert log_normal_cdf(x) == pytest.approx(expected, rel=1e-10)


def test_students_tail_is_a_half_at_zero_and_sums_to_one() -> None:
    assert student_tail(0.0, 5) == pytest.approx(0.5)
    assert student_tail(1.3, 5) + student_tail(-1.3, 5) == pytest.approx(1.0)


def test_students_quantile_tends_to_the_normal_one() -> None:
    assert student_quantile(0.975, 1e7) == pytest.approx(normal_quantile(0.975), rel=1e-6)
