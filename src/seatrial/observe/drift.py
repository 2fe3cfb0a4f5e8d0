"""Whether the features and the score are distributed as in the model's reference: shown, never paged.

A shift is no harm by itself. It is shown when chance does not explain it (p-value, divided by the number of
comparisons) and when it is large (`LARGE_SHIFT` of PSI above its null mean). Features are ranked by distance times
importance, since a shift in what the model does not use costs nothing.
"""

import msgspec
import polars as pl

from seatrial.facts.finding import Finding, Verdict
from seatrial.facts.model import Model
from seatrial.measures.distances import CategoryBins, NumericBins, Shift, shift
from seatrial.observe.window import Window, answered
from seatrial.product.product import Product
from seatrial.product.reference import Binned, Reference, counted

SCORE = "score"
LARGE_SHIFT = 0.1
_LEVEL = 0.001
_NAMED = 5


class FeatureShift(msgspec.Struct, frozen=True, kw_only=True):
    """One feature's (or the score's) distance. `effect` is distance above chance times importance; `where` in words."""

    name: str
    importance: float
    effect: float
    shown: bool
    where: str
    shift: Shift


def shifts(
    model: Model, reference: Reference, predictions: pl.DataFrame, *, design_effect: float = 1.0
) -> tuple[FeatureShift, ...]:
    """Every feature of the reference that the predictions hold, the largest effect first, then the score.

    `predictions` are rows of the `predictions` table of one release; shadows' rows are left out. `design_effect` >= 1
    is the price of rows that share shocks.
    """
    rows = answered(predictions)
    columns = {name: f"feature_{name}" for name in reference.features if f"feature_{name}" in rows.columns}
    level = _LEVEL / (len(columns) + 1)
    importances = _shares(model, columns)
    features = [
        _shifted(name, reference.features[name], rows[column], importances[name], level, design_effect)
        for name, column in columns.items()
    ]
    ranked = sorted(features, key=lambda one: (-one.effect, one.name))
    # A missing score is a fallback, which `faults` looks at.
    scores = rows["score"].drop_nulls()
    return (*ranked, _shifted(SCORE, reference.score, scores, 1.0, level, design_effect))


def drift(
    product: Product,
    model: Model,
    reference: Reference,
    predictions: pl.DataFrame,
    *,
    release: str,
    window: Window,
    design_effect: float = 1.0,
) -> list[Finding]:
    """Findings on the score, on all features together, and on the five shown features of the largest effect.

    Of a score or feature: PSI above its mean under no shift. Of all features: the share of them that is shown.
    """
    every = shifts(model, reference, predictions, design_effect=design_effect)
    features, score = every[:-1], every[-1]
    shown = [one for one in features if one.shown]
    single = [_finding(product, release, window, one) for one in (score, *shown[:_NAMED])]
    return [single[0], _overall(product, release, window, features), *single[1:]]


def _shares(model: Model, names: dict[str, str]) -> dict[str, float]:
    """Importances as shares of their sum; equal shares for a model without them."""
    known = {name: max(0.0, model.importances.get(name, 0.0)) for name in names}
    whole = sum(known.values())
    return {name: value / whole if whole else 1.0 / len(known) for name, value in known.items()}


def _shifted(
    name: str, binned: Binned, values: pl.Series, importance: float, level: float, design_effect: float
) -> FeatureShift:
    found = shift(binned.counts, counted(binned, values), design_effect=design_effect, level=level)
    return FeatureShift(
        name=name,
        importance=importance,
        effect=max(0.0, found.excess) * importance,
        shown=found.verdict is Verdict.SHOWN and found.excess >= LARGE_SHIFT,
        where=_bin_name(binned.bins, found.worst_bin),
        shift=found,
    )


def _bin_name(bins: NumericBins | CategoryBins, place: int) -> str:
    """What lies in a bin, in words."""
    if place >= bins.size - 2:
        return "values never seen" if place == bins.size - 2 else "missing values"
    if isinstance(bins, CategoryBins):
        return repr(bins.categories[place])
    edges = bins.edges
    if not edges:
        return "all values"
    if place == 0:
        return f"values below {edges[0]:.4g}"
    return f"values from {edges[place - 1]:.4g}" + (f" to {edges[place]:.4g}" if place < len(edges) else "")


def _finding(product: Product, release: str, window: Window, one: FeatureShift) -> Finding:
    found = one.shift
    verdict = Verdict.SHOWN if one.shown else Verdict.OK
    return window.finding(
        product.name,
        release,
        measure="shift",
        segment=one.name,
        value=found.excess,
        sample_size=found.n_cur,
        verdict=Verdict.NOT_ENOUGH_DATA if found.verdict is Verdict.NOT_ENOUGH_DATA else verdict,
        detail=(
            f"PSI {found.psi:.4g}, {found.null_mean:.4g} by chance alone, p {found.p_value:.2g}, "
            f"Jensen-Shannon distance {found.js:.3g}, most in {one.where}; importance {one.importance:.0%}"
        ),
    )


def _overall(product: Product, release: str, window: Window, features: tuple[FeatureShift, ...]) -> Finding:
    shown = [one for one in features if one.shown]
    rows = max((one.shift.n_cur for one in features), default=0)
    few = all(one.shift.verdict is Verdict.NOT_ENOUGH_DATA for one in features)
    ranking = ", ".join(
        f"{one.name} ({one.shift.excess:.2g} x {one.importance:.0%})" for one in shown[:_NAMED]
    )
    calm = Verdict.NOT_ENOUGH_DATA if few else Verdict.OK
    return window.finding(
        product.name,
        release,
        measure="shift",
        segment="all features",
        value=len(shown) / len(features) if features else None,
        sample_size=rows,
        verdict=Verdict.SHOWN if shown else calm,
        detail=f"{len(shown)} of {len(features)} features shifted" + (f": {ranking}" if ranking else ""),
    )
