"""A statement in words."""

import msgspec

from seatrial.cli.value import statement_text, valued_text
from tests.launched import statement


def test_a_value_says_of_how_many_decisions_with_a_known_outcome_it_is() -> None:
    found = statement()
    assert valued_text(found) == "255,176 decisions with a known outcome; 938 without"
    few = msgspec.structs.replace(found, matured=659_492, without_outcome=659_491)
    assert valued_text(few) == "1 decision with a known outcome; 659,491 without"
    whole = msgspec.structs.replace(found, without_outcome=0)
    assert valued_text(whole) == "256,114 decisions with a known outcome"


def test_the_statement_counts_what_is_valued_beside_what_is_booked() -> None:
    lines = statement_text(statement()).splitlines()
    assert lines[0].startswith("flight-delays: 256,114 decisions booked, 61,870 acted on, 1,204 waiting")
    assert lines[1].endswith("USD from 255,176 decisions with a known outcome; 938 without")
    assert "41 capped" in lines
