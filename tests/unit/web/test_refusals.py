"""Faults in a sentence."""

from seatrial.web.scoring.refusals import faulty, told_faults


def _fault(row: int | None, field: str, received: str = "-1") -> dict[str, object]:
    return {"row": row, "field": field, "expected": "a price", "received": received}


def test_a_fault_is_told_with_its_row_and_field_where_it_has_them() -> None:
    assert told_faults([_fault(3, "price")]) == (
        "1 fault in the request: row 3, price: expected a price, received -1"
    )
    assert told_faults([_fault(None, "price")]).endswith(": price: expected a price, received -1")
    assert told_faults([_fault(3, "")]).endswith(": row 3: expected a price, received -1")
    assert told_faults([_fault(None, "")]) == "1 fault in the request: expected a price, received -1"


def test_a_long_fault_is_cut_and_all_are_counted() -> None:
    told = told_faults([_fault(0, "x" * 500), _fault(1, "price"), _fault(2, "price")])
    assert told.startswith("3 faults in the request: row 0, xxx")
    assert "…; row 1, price: expected" in told
    assert len(told) < 400
    assert "see details" not in told


def test_a_refusal_of_faults_has_all_of_them_in_its_details() -> None:
    faults = [_fault(number, "price") for number in range(9)]
    refusal = faulty(faults)
    assert (refusal.status, refusal.code, len(refusal.details)) == (400, "request_invalid", 9)
    assert str(refusal).endswith("; and 6 more, see details")
