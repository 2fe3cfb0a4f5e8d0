"""The data report as one HTML page that needs nothing else: no script, no network, no other file."""

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from seatrial.web.report import charts, words
from seatrial.web.report.concerns import NOTABLE_DISTANCE, is_moved
from seatrial.web.report.picture import HEIGHT, drawn
from seatrial.web.report.views import ColumnView, Report

_FILTERS = (
    words.number,
    words.figure,
    words.share,
    words.days,
    words.day,
    words.minute,
    words.short,
    words.prose,
)
# Columns drawn at once; the rest is told in the table.
MOST_CHARTS = 60


def page(report: Report) -> str:
    """The whole page."""
    moved = [column for column in report.columns if is_moved(column)]
    steady = [column for column in report.columns if not is_moved(column)]
    template = _environment().get_template("report.html")
    return template.render(
        r=report,
        counts={level: sum(one.level == level for one in report.concerns) for level in ("broken", "changed")},
        moved=[(column, *_charts(column)) for column in moved],
        steady=[(column, *_charts(column)) for column in steady[: max(0, MOST_CHARTS - len(moved))]],
        loads={source.name: _drawing(charts.loads_chart(source)) for source in report.sources},
        aside_chart=_drawing(charts.aside_chart(report.aside)),
        picture=drawn(report.lineage) if report.lineage else None,
        box_height=HEIGHT,
        notable=NOTABLE_DISTANCE,
        spark=spark,
    )


def _environment() -> Environment:
    # The console's style sheet is the house's: both look the same.
    loader = ChoiceLoader(
        [
            PackageLoader("seatrial.web.report", "templates"),
            PackageLoader("seatrial.web.console", "templates"),
        ]
    )
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {filter_.__name__: filter_ for filter_ in _FILTERS}
    return environment


def _charts(column: ColumnView) -> tuple[Markup, Markup]:
    """Values, and missing values over time."""
    values = charts.values_chart(column.bars, column.summary.type)
    return _drawing(values), _drawing(charts.missing_chart(column.missing))


def _drawing(svg: str) -> Markup:
    return Markup(svg)  # noqa: S704 drawn here, and Vega escapes the labels in it


def spark(values: list[float], width: int = 96, height: int = 22) -> str:
    """The points of a small line from 0 to the largest of the values, for an SVG of that size."""
    top = max(values, default=0.0) or 1.0
    step = width / max(1, len(values) - 1)
    return " ".join(
        f"{i * step:.1f},{height - 2 - (height - 4) * value / top:.1f}" for i, value in enumerate(values)
    )
