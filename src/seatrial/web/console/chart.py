"""Value over time as an SVG that follows the page's colours."""

from collections.abc import Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Any

import msgspec

from seatrial.facts.statement import DayLine

# Vega parses colours, so it cannot take a style sheet's variables: these stand in for them until the SVG is made.
_STAND_INS = {
    "#010101": "var(--ink-soft)",
    "#020202": "var(--line)",
    "#030303": "var(--accent)",
    "#040404": "var(--muted)",
    "#050505": "var(--alarm)",
}
_SOFT, _LINE, _ACCENT, _MUTED, _ALARM = _STAND_INS
_AXIS = {
    "labelColor": _SOFT,
    "titleColor": _SOFT,
    "gridColor": _LINE,
    "domain": False,
    "ticks": False,
    "labelFontSize": 12,
    "labelPadding": 8,
    "titleFontSize": 12,
    "titleFontWeight": "normal",
    "titlePadding": 12,
}
WIDTH, HEIGHT = 1000, 300

# Up to here a month's name would stand at several ticks.
MOST_DAYS_BY_DAY = 75


class Span(msgspec.Struct, frozen=True):
    """A stretch of time to shade, from an incident's estimated begin to its end."""

    begin: datetime
    end: datetime


class Moment(msgspec.Struct, frozen=True):
    """A moment to mark: a release going live."""

    at: datetime
    label: str


@lru_cache(maxsize=16)
def value_chart(
    days: tuple[DayLine, ...], unit: str, incidents: tuple[Span, ...] = (), releases: tuple[Moment, ...] = ()
) -> str:
    """The SVG of value so far, with the model and with the baseline alone; "" for fewer than two days.

    Equal data gives the chart that was drawn before. The first chart of a process takes about a second.
    """
    if len(days) < 2:
        return ""
    import altair as alt
    import vl_convert

    layers = [*_shades(alt, days, incidents), *_marks(alt, days, releases), *_lines(alt, days, unit)]
    chart = alt.layer(*layers).properties(
        width=WIDTH, height=HEIGHT, padding={"top": 14, "right": 6, "bottom": 16}
    )
    look = {"font": "system-ui, sans-serif", "view": {"stroke": None}, "axis": _AXIS}
    spec = {**chart.to_dict(validate=False), "background": "transparent", "config": look}
    svg = vl_convert.vegalite_to_svg(spec, vl_version=_version(alt))
    return _coloured(svg)


def _version(alt: Any) -> str:
    major, minor, *_ = alt.SCHEMA_VERSION.lstrip("v").split(".")
    return f"{major}.{minor}"


def _coloured(svg: str) -> str:
    for stand_in, variable in _STAND_INS.items():
        svg = svg.replace(stand_in, variable)
    return svg


def _lines(alt: Any, days: Sequence[DayLine], unit: str) -> list[Any]:
    points = [
        {"day": line.day, "model": line.cumulative, "baseline": line.cumulative_baseline} for line in days
    ]
    data = alt.Data(values=points)
    across = alt.X("day:T", axis=_calendar(alt, len(days))).title(None)
    axis = alt.Axis(format="~s", tickCount=5)
    up = alt.Y("model:Q", axis=axis).title(f"value so far, {unit}")
    chart = alt.Chart(data)
    gain = chart.mark_area(color=_ACCENT, opacity=0.14).encode(x=across, y=up, y2="baseline:Q")
    baseline = chart.mark_line(color=_MUTED, strokeWidth=2, strokeDash=[5, 4]).encode(
        x=across, y="baseline:Q"
    )
    model = chart.mark_line(color=_ACCENT, strokeWidth=2.5).encode(x=across, y=up)
    return [gain, baseline, model, *_names(alt, points[-1])]


def _calendar(alt: Any, days: int) -> Any:
    """An axis of months, or of days while there are few; never the same label twice."""
    few = days <= MOST_DAYS_BY_DAY
    ticks = {"interval": "day", "step": max(1, days // 8)} if few else 10
    return alt.Axis(format="%d %b" if few else "%b %Y", tickCount=ticks, grid=False, labelBound=False)


def _names(alt: Any, last: dict[str, Any]) -> list[Any]:
    """The lines' names at their ends, so that no legend has to be read."""
    end = alt.Chart(alt.Data(values=[last]))

    def name(field: str, text: str, colour: str) -> Any:
        mark = end.mark_text(
            text=text, align="right", dx=-4, dy=-12, color=colour, fontSize=13, fontWeight=600
        )
        return mark.encode(x="day:T", y=f"{field}:Q")

    return [name("model", "with the model", _ACCENT), name("baseline", "baseline alone", _MUTED)]


def _shades(alt: Any, days: Sequence[DayLine], incidents: Sequence[Span]) -> list[Any]:
    first, last = date.fromisoformat(days[0].day), date.fromisoformat(days[-1].day)
    values = [
        {"from": max(span.begin.date(), first).isoformat(), "to": min(span.end.date(), last).isoformat()}
        for span in incidents
        if span.begin.date() <= last and span.end.date() >= first
    ]
    if not values:
        return []
    shade = alt.Chart(alt.Data(values=values)).mark_rect(color=_ALARM, opacity=0.12)
    return [shade.encode(x="from:T", x2="to:T")]


def _marks(alt: Any, days: Sequence[DayLine], releases: Sequence[Moment]) -> list[Any]:
    values = [
        {"at": moment.at.date().isoformat(), "label": moment.label}
        for moment in releases
        if days[0].day <= moment.at.date().isoformat() <= days[-1].day
    ]
    if not values:
        return []
    chart = alt.Chart(alt.Data(values=values)).encode(x="at:T")
    rule = chart.mark_rule(color=_MUTED, strokeDash=[2, 3])
    text = chart.mark_text(align="left", baseline="bottom", dx=5, color=_SOFT, fontSize=12)
    return [rule, text.encode(y=alt.value(HEIGHT - 2), text="label:N")]
