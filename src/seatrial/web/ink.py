"""Charts as SVG that follow the page's colours, light or dark."""

from typing import Any

# Vega parses colours, so it cannot take a style sheet's variables: these stand in for them until the SVG is made.
SOFT, LINE, ACCENT, MUTED, ALARM, WATCH = "#010101", "#020202", "#030303", "#040404", "#050505", "#060606"
_VARIABLES = {
    SOFT: "var(--ink-soft)",
    LINE: "var(--line)",
    ACCENT: "var(--accent)",
    MUTED: "var(--muted)",
    ALARM: "var(--alarm)",
    WATCH: "var(--watch)",
}
AXIS = {
    "labelColor": SOFT,
    "titleColor": SOFT,
    "gridColor": LINE,
    "domain": False,
    "ticks": False,
    "labelFontSize": 11,
    "labelPadding": 6,
    "titleFontSize": 11,
    "titleFontWeight": "normal",
    "titlePadding": 8,
}


def svg(chart: Any, *, width: int, height: int) -> str:
    """The SVG of an Altair chart. The first one of a process takes about a second."""
    import altair as alt
    import vl_convert

    sized = chart.properties(
        width=width, height=height, padding={"top": 6, "right": 4, "bottom": 4, "left": 2}
    )
    look = {"font": "system-ui, sans-serif", "view": {"stroke": None}, "axis": AXIS}
    spec = {**sized.to_dict(validate=False), "background": "transparent", "config": look}
    major, minor, *_ = alt.SCHEMA_VERSION.lstrip("v").split(".")
    drawn: str = vl_convert.vegalite_to_svg(spec, vl_version=f"{major}.{minor}")
    for stand_in, variable in _VARIABLES.items():
        drawn = drawn.replace(stand_in, variable)
    return drawn
