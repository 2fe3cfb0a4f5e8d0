"""The formats of the standard: what has the form, and what only looks like it, to both engines alike."""

import re

import polars as pl
import pytest

from seatrial.contract.formats import FORMATS
from seatrial.contract.sanity import full_match, full_match_rust

RIGHT = {
    "email": ["me@example.org", "a.b+c_d@mail.example.co"],
    "uuid": ["123e4567-e89b-12d3-a456-426614174000"],
    "uri": ["https://example.org/a?b=%20#c", "mailto:me@example.org", "urn:isbn:0451450523"],
    "ipv4": ["0.0.0.0", "255.255.255.255", "192.168.1.9"],  # noqa: S104 - a text, no server
    "ipv6": ["::", "::1", "2001:db8::8a2e:370:7334", "1:2:3:4:5:6:7:8", "1::8", "fe80::"],
    "hostname": ["localhost", "a-b.example.org", "x" * 63 + ".org"],
}
WRONG = {
    "email": ["me@", "@example.org", "me example@example.org", "me@example", "me@-example.org"],
    "uuid": ["123e4567e89b12d3a456426614174000", "123e4567-e89b-12d3-a456-42661417400g"],
    "uri": ["example.org", "http://ex ample.org", "//example.org"],
    "ipv4": ["256.0.0.1", "1.2.3", "01.2.3.4", "1.2.3.4.5"],
    "ipv6": [":", "1::2::3", "1:2:3:4:5:6:7", "12345::", "1:2:3:4:5:6:7:8:9"],
    "hostname": ["-a.org", "a..org", "x" * 64 + ".org", "a_b.org", ""],
}


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_both_engines_tell_the_form_from_what_looks_like_it(name: str) -> None:
    pattern = re.compile(full_match(FORMATS[name]))
    texts = [*RIGHT[name], *WRONG[name]]
    expected = [True] * len(RIGHT[name]) + [False] * len(WRONG[name])
    assert [pattern.search(text) is not None for text in texts] == expected
    assert pl.Series(texts).str.contains(full_match_rust(FORMATS[name])).to_list() == expected
