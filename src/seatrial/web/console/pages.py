"""Pages from pictures: templates filled, charts drawn."""

from collections.abc import Mapping, Sequence
from itertools import groupby

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from seatrial.facts.estimate import Estimate
from seatrial.facts.finding import Incident
from seatrial.facts.release import Release
from seatrial.facts.statement import DayLine, ReleaseLine, Statement
from seatrial.web.console import words
from seatrial.web.console.chart import Moment, Span, value_chart
from seatrial.web.console.picture import Picture, Summary

FILTERS = (
    words.amount,
    words.interval,
    words.percent,
    words.short,
    words.day,
    words.minute,
    words.days_between,
    words.mark,
)


class Pages:
    """The templates, compiled when first used. Safe to use from several threads."""

    def __init__(self) -> None:
        self._templates = Environment(
            loader=PackageLoader("seatrial.web.console", "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters |= {filter_.__name__: filter_ for filter_ in FILTERS}

    def index(self, products: Sequence[Summary], caller: str = "") -> str:
        """The list of products. `caller` is the name of who is signed in, here and on the other pages."""
        return self._templates.get_template("index.html").render(products=products, caller=caller)

    def product(self, shown: Picture, acts: Mapping[str, bool], caller: str = "") -> str:
        """One product's page; `acts` says which forms it offers."""
        return self._templates.get_template("product.html").render(
            caller=caller,
            p=shown,
            acts=acts,
            chart=_chart(shown),
            months=_months(shown.statement.days if shown.statement else ()),
            promise=_promise(shown),
            share=_value_share,
            nothing=Estimate(value=0.0),
        )

    def refusal(self, status: int, message: str, caller: str = "") -> str:
        """A page that says why not."""
        return self._templates.get_template("refusal.html").render(
            status=status, message=message, caller=caller
        )

    def login(self, after: str, message: str = "") -> str:
        """The form to sign in with a token; `after` is the page that comes next, `message` says why it failed."""
        return self._templates.get_template("login.html").render(after=after, message=message, caller="")


def _chart(shown: Picture) -> Markup:
    if shown.statement is None:
        return Markup("")
    spans = tuple(_span(shown, incident) for incident in (*shown.open_incidents, *shown.closed_incidents))
    svg = value_chart(shown.statement.days, shown.statement.unit, spans, _went_live(shown.releases))
    return Markup(svg)  # noqa: S704 drawn here, and Vega escapes the labels in it


def _span(shown: Picture, incident: Incident) -> Span:
    return Span(incident.began_at, incident.closed_at or shown.at)


def _went_live(releases: Sequence[Release]) -> tuple[Moment, ...]:
    return tuple(Moment(release.live_from, release.id) for release in releases if release.live_from)


def _months(days: Sequence[DayLine]) -> list[tuple[str, int, float, float]]:
    """Decisions, value and baseline value by calendar month: the chart for those who cannot see it."""
    months = []
    for month, lines in groupby(days, key=lambda line: line.day[:7]):
        part = list(lines)
        months.append(
            (
                month,
                sum(line.decisions for line in part),
                sum(line.value for line in part),
                sum(line.baseline_value for line in part),
            )
        )
    return months


def _promise(shown: Picture) -> ReleaseLine | None:
    """The live release's line of the statement: what its validation promised per decision, and what came."""
    statement: Statement | None = shown.statement
    if statement is None or shown.live is None:
        return None
    return next((line for line in statement.releases if line.release == shown.live.id), None)


def _value_share(value: Estimate, values: Sequence[Estimate]) -> tuple[float, float, float]:
    """Where a value and its interval lie between the lowest and the highest bound of all, in per cent."""
    bounds = [
        bound for one in values for bound in (one.lower, one.upper, one.value, 0.0) if bound is not None
    ]
    low, high = min(bounds), max(bounds)
    width = (high - low) or 1.0

    def place(bound: float | None) -> float:
        return round(100 * ((value.value or 0.0 if bound is None else bound) - low) / width, 2)

    return place(value.lower), place(value.value), place(value.upper)
