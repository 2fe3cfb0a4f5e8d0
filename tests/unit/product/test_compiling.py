"""What a product file may ask of the contract's types."""

import pytest

from seatrial.errors import ProductFileInvalid
from tests.repairs import PRODUCT_FILE, repairs_product


def problems(file: str) -> list[str]:
    with pytest.raises(ProductFileInvalid) as refused:
        repairs_product(file)
    return list(refused.value.problems)


def test_all_features_are_those_that_a_model_can_take() -> None:
    types = {feature.name: feature.type for feature in repairs_product().features}
    assert {"distance", "size", "urgent", "price", "weekday", "is_red"} <= types.keys()
    assert set(types.values()) == {"float", "int", "bool"}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("seen_at", "a moment"),
        ("due_on", "a date"),
        ("sold_until", "a date"),
        ("promised", "a time of day"),
        ("faults", "an array"),
        ("specs", "an object"),
    ],
)
def test_a_chosen_feature_that_no_model_takes_is_refused_with_what_to_do(name: str, words: str) -> None:
    chosen = PRODUCT_FILE.replace('"model:make"}', f'"model:make", features: [distance, {name}]}}')
    [problem] = problems(chosen)
    assert f"model.features: {name} is {words}; derive a number from it" in problem


def test_a_date_cannot_be_when_something_was_known() -> None:
    [problem] = problems(PRODUCT_FILE.replace("known_at: settled_at", "known_at: fetched_on"))
    assert "column fetched_on must be timestamp, the contract says date" in problem


def test_a_lookup_by_a_date_needs_a_date_to_ask_with() -> None:
    file = PRODUCT_FILE.replace("on: [model, made_on]", "on: [model, listed_on]")
    assert any("the request has no column listed_on" in problem for problem in problems(file))
