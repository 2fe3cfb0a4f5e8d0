"""A classified value sent to the scoring door in every wrong way: it comes back nowhere, and no log holds it."""

import logging
from typing import Any

import pytest

from seatrial.contract.model import ColumnContract
from seatrial.product.product import Product
from tests.hotel import PRODUCT_FILE, hotel_product, row
from tests.unit.web.test_scoring_app import OUTCOMES, PREDICT, Answer, Door

GUEST_NAME = "Ada-Lovelace-4711"
GUEST = ColumnContract(
    name="guest", type="string", role="feature", max_length=20, classification="restricted"
)
REASON = ColumnContract(
    name="reason", type="string", role="outcome", values=("ill", "other"), classification="confidential"
)
FILE = PRODUCT_FILE.replace("also: [refund]", "also: [refund, reason]")


def secretive() -> Product:
    return hotel_product(GUEST, REASON, file=FILE)


def assert_kept(answer: Answer, logged: str, *, status: int) -> None:
    assert answer.status == status
    told = answer.body.decode() + str(answer.headers) + logged
    assert GUEST_NAME not in told
    assert GUEST_NAME[:12] not in told


@pytest.mark.parametrize(
    ("rows", "field"),
    [
        ([row(guest=GUEST_NAME * 3)], "guest"),
        ([row(guest=[GUEST_NAME])], "guest"),
        ([row(guests=GUEST_NAME)], "guests"),
        ([row(guest=GUEST_NAME, price=-1)], "price"),
    ],
)
def test_a_row_that_breaks_the_contract(
    rows: list[Any], field: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with Door(product=secretive()) as door:
        answer = door.predict(*rows)
    assert_kept(answer, caplog.text, status=400)
    [fault] = answer.json["details"]
    assert fault["field"] == field
    assert fault["received"] == ("-1" if field == "price" else "***")


@pytest.mark.parametrize(
    "body",
    [
        {"rows": GUEST_NAME},
        {"rows": {"guest": GUEST_NAME}},
        {"guest": GUEST_NAME},
        [GUEST_NAME],
        GUEST_NAME,
        {"rows": [row(guest=GUEST_NAME)], "partial": GUEST_NAME},
        {"rows": [GUEST_NAME]},
        {"rows": [row(), [GUEST_NAME]]},
        f'{{"rows": [{{"guest": "{GUEST_NAME}"'.encode(),
    ],
)
def test_a_body_of_another_shape(body: object, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with Door(product=secretive()) as door:
        answer = door.ask("POST", PREDICT, body)
    assert_kept(answer, caplog.text, status=400)


def test_faults_beside_good_rows(caplog: pytest.LogCaptureFixture) -> None:
    with Door(product=secretive()) as door:
        answer = door.predict(row(1), row(2, guest=GUEST_NAME * 3), partial=True)
    assert_kept(answer, caplog.text, status=200)
    assert [fault["field"] for fault in answer.json["faults"]] == ["guest"]


@pytest.mark.parametrize(
    "report",
    [
        GUEST_NAME,
        {"key": "b1", "is_canceled": True, "reason": GUEST_NAME},
        {"key": "b1", "is_canceled": True, "why": GUEST_NAME},
        {"key": "b1", "is_canceled": GUEST_NAME, "reason": "ill"},
    ],
)
def test_refused_outcomes(report: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with Door(product=secretive()) as door:
        answer = door.ask("POST", OUTCOMES, {"outcomes": [report]})
    told = answer.json["refused"]
    assert len(told) == 1
    if told[0]["field"] == "is_canceled":
        assert told[0]["received"] == f'"{GUEST_NAME}"'  # that column is not classified
    else:
        assert_kept(answer, caplog.text, status=200)
        assert told[0]["received"] == "***"


def test_a_model_that_quotes_its_inputs_when_it_fails(caplog: pytest.LogCaptureFixture) -> None:
    def quoting(inputs: Any) -> Any:
        raise ValueError(f"could not convert {inputs['guest'].tolist()}")

    with Door(product=secretive()) as door:
        door.model.function = quoting
        answer = door.predict(row(guest=GUEST_NAME))
    assert_kept(answer, caplog.text, status=200)
    assert answer.json["predictions"][0]["fallback"] == "model raised ValueError"
    assert "ValueError; its message may hold classified values" in caplog.text
    assert "in quoting" in caplog.text  # where it happened is told


def test_without_classified_columns_faults_and_errors_say_all(caplog: pytest.LogCaptureFixture) -> None:
    def quoting(inputs: Any) -> Any:
        raise ValueError("prices like these")

    with Door() as door:
        door.model.function = quoting
        assert door.predict(row(price=-1)).json["details"][0]["received"] == "-1"
        door.predict(row())
    assert "prices like these" in caplog.text
