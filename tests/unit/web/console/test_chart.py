from datetime import timedelta

from seatrial.web.console.chart import Moment, Span, value_chart
from tests import launched

DAYS = launched.statement().days


def test_fewer_than_two_days_draw_nothing() -> None:
    assert value_chart((), "USD") == ""
    assert value_chart(DAYS[:1], "USD") == ""


def test_the_chart_names_its_lines_unit_and_releases_and_shades_incidents() -> None:
    at = launched.LAUNCH + timedelta(days=20)
    plain = value_chart(DAYS[:60], "USD")
    marked = value_chart(DAYS[:60], "USD", (Span(at, at + timedelta(days=5)),), (Moment(at, "r0007"),))
    for text in ("with the model", "baseline alone", "value so far, USD"):
        assert text in plain
    assert "var(--alarm)" in marked
    assert "var(--alarm)" not in plain
    assert "r0007" in marked


def test_incidents_and_releases_outside_the_days_leave_the_chart_as_it_is() -> None:
    before = launched.LAUNCH - timedelta(days=20)
    spans = (Span(before, before + timedelta(days=5)),)
    assert value_chart(DAYS[:60], "USD", spans, (Moment(before, "r0007"),)) == value_chart(DAYS[:60], "USD")
