"""Every error: its code, its place in the tree, its way across processes."""

import pickle
import re
from collections.abc import Iterator

import pytest

from seatrial import errors
from seatrial.errors import SeatrialError


def classes(kind: type[SeatrialError] = SeatrialError) -> Iterator[type[SeatrialError]]:
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            if not child.__name__.startswith("_"):
                yield child
            yield from classes(child)


CLASSES = sorted(classes(), key=lambda kind: kind.__name__)
MANY = [errors.ProductFileInvalid, errors.ContractInvalid, errors.GateClosed, errors.SettingsInvalid]
FAULT: dict[str, object] = {"row": 2, "field": "price", "expected": "a number", "received": "'x'"}
RAISED: list[SeatrialError] = [
    *(kind(["one thing", "another"], name="somewhere") for kind in MANY),
    errors.RequestInvalid([FAULT, FAULT | {"row": 3}]),
    errors.Overloaded("the queue is full", retry_after=7),
    errors.MissingExtra("scikit-learn", "train"),
]
RAISED += [
    kind("what, expected, came, next") for kind in CLASSES if kind not in {type(one) for one in RAISED}
]


def test_every_class_is_tried() -> None:
    assert {type(one) for one in RAISED} == set(CLASSES)
    assert len(CLASSES) >= 18


@pytest.mark.parametrize("error", RAISED, ids=lambda error: type(error).__name__)
def test_an_error_crosses_a_process_boundary_whole(error: SeatrialError) -> None:
    back = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert type(back) is type(error)
    assert (str(back), vars(back)) == (str(error), vars(error))


def test_codes_are_unique_and_stay_what_callers_know() -> None:
    codes = {kind.code: kind.__name__ for kind in CLASSES}
    assert len(codes) == len(CLASSES)
    snake = {re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower() for kind in CLASSES}
    assert set(codes) == snake


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    lines = re.findall(r"[├└]── (\w+)\s+(\w+)\s+(terminal|retryable)\s+\S", errors.__doc__ or "")
    told = {(name, code, word) for name, code, word in lines}
    assert len(lines) == len(told)
    assert told == {
        (kind.__name__, kind.code, "retryable" if kind.retryable else "terminal") for kind in CLASSES
    }


def test_an_error_of_many_problems_tells_all_of_them_and_where() -> None:
    error = errors.SettingsInvalid(["port: too high", "host: not here"])
    assert str(error) == "settings: 2 problems\n  - port: too high\n  - host: not here"
    assert str(errors.GateClosed(["no owner"], name="r0001")).startswith("r0001: 1 problem\n")


def test_a_request_names_every_row_and_field_at_fault() -> None:
    text = str(errors.RequestInvalid([FAULT, FAULT | {"row": 3, "field": "city"}]))
    assert text.splitlines() == [
        "row 2, price: expected a number, received 'x'",
        "row 3, city: expected a number, received 'x'",
    ]


def test_a_missing_extra_says_how_to_install_it() -> None:
    assert "pip install 'seatrial[train]'" in str(errors.MissingExtra("scikit-learn", "train"))
