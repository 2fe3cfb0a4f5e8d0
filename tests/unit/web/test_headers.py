"""Request headers, read with suspicion."""

import pytest

from seatrial.web.scoring.headers import deadline_seconds, header_map, trace_id

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.parametrize(
    "header", [f"00-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-00", f"cc-{TRACE}-{PARENT}-01-more"]
)
def test_a_traceparent_gives_its_trace(header: str) -> None:
    assert trace_id(header) == TRACE


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "nonsense",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-01-more",
        f"cc-{TRACE}-{PARENT}-01more",
    ],
)
def test_a_malformed_traceparent_is_as_good_as_none(header: str | None) -> None:
    assert trace_id(header) is None


@pytest.mark.parametrize(
    ("header", "seconds"), [("250", 0.25), ("0", None), ("-1", None), ("x", None), (None, None)]
)
def test_a_deadline_is_a_positive_number_of_milliseconds(header: str | None, seconds: float | None) -> None:
    assert deadline_seconds(header) == seconds


def test_header_names_know_no_case() -> None:
    assert header_map([(b"Content-Type", b"a"), (b"X-B", b"c")]) == {"content-type": "a", "x-b": "c"}
