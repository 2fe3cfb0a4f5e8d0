"""A model in words."""

import msgspec

from seatrial.cli.train import model_text
from tests.launched import model


def test_a_model_that_is_served_by_its_own_library_says_why() -> None:
    converted = msgspec.structs.replace(model(), served_by="onnx", not_converted="")
    native = msgspec.structs.replace(model(), served_by="native", not_converted="categories of its own")
    assert "its own library" not in model_text(converted, "EUR")
    assert "served by its own library, in a process of its own: categories of its own" in model_text(
        native, "EUR"
    )
