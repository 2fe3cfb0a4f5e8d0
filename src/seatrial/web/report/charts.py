"""The data report's charts: each an SVG, "" where there is too little to draw."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from seatrial.data.profiles import Bar, moment
from seatrial.web.ink import ACCENT, ALARM, MUTED, SOFT, svg
from seatrial.web.report.readings import readings
from seatrial.web.report.views import AsideView, Point, SourceView

_COLUMN_WIDTH, _COLUMN_HEIGHT = 300, 110
_CATEGORY_STEP = 20
# From here on a reading is a line too thin to be told from its neighbours.
_MOST_READINGS = 120
_PARTS = (("added", "added", 1), ("removed", "removed", -1), ("put aside", "quarantined", 1))
# The snapshot before is drawn whole, what the model learnt from dashed.
_DASHES = ([1, 0], [4, 3])


def loads_chart(source: SourceView) -> str:
    """Rows that each reading added, removed and put aside, over time; "" for fewer than two readings."""
    import altair as alt

    read = readings(source.loads)[-_MOST_READINGS:]
    if len(read) < 2:
        return ""
    values = [
        {
            "at": _text(reading[-1].read_at),
            "rows": sign * sum(getattr(load, field) for load in reading),
            "what": what,
        }
        for reading in read
        for what, field, sign in _PARTS
    ]
    colour = alt.Color("what:N", legend=None).scale(
        domain=["added", "removed", "put aside"], range=[ACCENT, MUTED, ALARM]
    )
    bars = _plot(values).mark_bar(size=_bar_width(len(read), 420), cornerRadius=1.5)
    chart = bars.encode(x=_time(alt, read[0][0].read_at, read[-1][0].read_at), y=_rows(alt), color=colour)
    return svg(chart, width=420, height=96)


def _plot(values: list[dict[str, Any]]) -> Any:
    import altair as alt

    untyped: Any = alt.Data
    return alt.Chart(untyped(values=values))


def _bar_width(count: int, width: int) -> float:
    return max(2.0, min(18.0, 0.6 * width / count))


def _rows(alt: Any) -> Any:
    return alt.Y("rows:Q", axis=alt.Axis(format="~s", tickCount=3)).title(None)


def _time(alt: Any, first: datetime, last: datetime) -> Any:
    days = (last - first).total_seconds() / 86400
    style = "%d %b" if days > 2 else "%H:%M"
    axis = alt.Axis(format=style, tickCount=5, grid=False, labelBound=False, labelOverlap=True)
    return alt.X("at:T", axis=axis, scale=alt.Scale(type="utc", padding=12)).title(None)


def _text(at: datetime) -> str:
    return at.isoformat()


def aside_chart(aside: Sequence[AsideView]) -> str:
    """Rows put aside per load and rule; "" when there are none."""
    import altair as alt

    rules = [view.rule for view in aside]
    values = [
        {"at": _text(point.at), "rows": point.value, "rule": view.rule}
        for view in aside
        for point in view.trend
    ]
    if len({value["at"] for value in values}) < 2:
        return ""
    shades = [1.0, 0.6, 0.4, 0.25]
    opacity = alt.Opacity("rule:N", legend=None).scale(
        domain=rules, range=[shades[min(i, len(shades) - 1)] for i in range(len(rules))]
    )
    times = [point.at for view in aside for point in view.trend]
    bars = _plot(values).mark_bar(color=ALARM, size=_bar_width(len(set(times)), 900))
    chart = bars.encode(x=_time(alt, min(times), max(times)), y=_rows(alt), opacity=opacity)
    return svg(chart, width=900, height=120)


def missing_chart(points: Sequence[Point]) -> str:
    """The share of missing values that each load brought; "" where it was always about nothing."""
    import altair as alt

    if len(points) < 2 or max(point.value for point in points) < 0.005:
        return ""
    values = [{"at": _text(point.at), "share": point.value} for point in points]
    up = alt.Y(
        "share:Q",
        axis=alt.Axis(format=".0%", tickCount=2),
        scale=alt.Scale(domain=[0, max(0.1, *(point.value for point in points))], nice=True),
    ).title(None)
    line = _plot(values).mark_line(
        color=MUTED, strokeWidth=2, point={"filled": True, "color": MUTED, "size": 18}
    )
    chart = line.encode(x=_time(alt, points[0].at, points[-1].at), y=up)
    return svg(chart, width=_COLUMN_WIDTH, height=44)


def values_chart(series: Sequence[Sequence[Bar]], kind: str) -> str:
    """How values are distributed: now as bars, before as a line, and what the model learnt as a dashed one."""
    if not series or not series[0]:
        return ""
    return _categories(series) if series[0][0].low is None else _numbers(series, kind)


def _numbers(series: Sequence[Sequence[Bar]], kind: str) -> str:
    import altair as alt

    across = _across(alt, series[0], kind)
    up = alt.Y("share:Q", axis=alt.Axis(format=".0%", tickCount=3)).title(None)
    now = _plot(_stretches(series[0], kind)).mark_rect(color=ACCENT, opacity=0.38, strokeWidth=0)
    layers = [now.encode(x=across, x2="high", y=up, y2=alt.datum(0))]
    for bars, dash in zip(series[1:], _DASHES, strict=True):
        if not bars:
            continue
        line = _plot(_outline(bars, kind))
        mark = line.mark_line(color=SOFT, strokeWidth=1.6, strokeDash=dash, interpolate="step-after")
        layers.append(mark.encode(x=_across(alt, series[0], kind, field="low"), y=up))
    return svg(alt.layer(*layers), width=_COLUMN_WIDTH, height=_COLUMN_HEIGHT)


def _across(alt: Any, bars: Sequence[Bar], kind: str, field: str = "low") -> Any:
    low, high = bars[0].low or 0.0, bars[-1].high or 0.0
    if kind == "timestamp":
        axis = alt.Axis(format="%b %Y" if high - low > 90 * 86400 else "%d %b", tickCount=4, grid=False)
        scale = alt.Scale(type="utc", domain=[_text(moment(low)), _text(moment(high))])
        return alt.X(f"{field}:T", axis=axis, scale=scale).title(None)
    axis = alt.Axis(format="~s", tickCount=5, grid=False)
    return alt.X(f"{field}:Q", axis=axis, scale=alt.Scale(domain=[low, high], nice=False)).title(None)


def _stretches(bars: Sequence[Bar], kind: str) -> list[dict[str, Any]]:
    return [
        {"low": _place(bar.low, kind), "high": _place(bar.high, kind), "share": bar.share} for bar in bars
    ]


def _outline(bars: Sequence[Bar], kind: str) -> list[dict[str, Any]]:
    end = {"low": _place(bars[-1].high, kind), "share": bars[-1].share}
    return [*({"low": _place(bar.low, kind), "share": bar.share} for bar in bars), end]


def _place(number: float | None, kind: str) -> Any:
    return _text(moment(number or 0.0)) if kind == "timestamp" else number


def _categories(series: Sequence[Sequence[Bar]]) -> str:
    import altair as alt

    names = [bar.label for bar in series[0]]
    rows = [{"name": bar.label, "share": bar.share} for bar in series[0]]
    up = alt.Y("name:N", sort=names, axis=alt.Axis(labelLimit=90, grid=False)).title(None)
    across = alt.X("share:Q", axis=alt.Axis(format=".0%", tickCount=4)).title(None)
    bars = _plot(rows).mark_bar(color=ACCENT, opacity=0.38, height=11)
    layers = [bars.encode(x=across, y=up)]
    for old, dash in zip(series[1:], _DASHES, strict=True):
        if not old:
            continue
        ticks = _plot([{"name": bar.label, "share": bar.share} for bar in old])
        mark = ticks.mark_tick(color=SOFT, thickness=2, size=14, strokeDash=dash)
        layers.append(mark.encode(x=across, y=up))
    return svg(alt.layer(*layers), width=_COLUMN_WIDTH - 60, height=max(_CATEGORY_STEP * len(names), 40))
