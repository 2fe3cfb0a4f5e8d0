"""Which columns seem to know the outcome: what the intake refuses as features, and what it asks about."""

from collections.abc import Collection, Iterator

import polars as pl

from seatrial.product.product import MATURED_AT, Product
from seatrial.prototype.arithmetic import disguised, parts_of_outcomes, times_of_outcome
from seatrial.prototype.certainty import certain_values
from seatrial.prototype.history import History, counted, read_history
from seatrial.prototype.suspicion import Suspicion
from seatrial.prototype.updates import default_until_updated, grows_with_wait, rewritten_siblings
from seatrial.prototype.waiting import counts_the_wait

__all__ = [
    "Suspicion",
    "asked_features",
    "asking",
    "find_leaks",
    "product_leaks",
    "refusal",
    "refused_features",
]
_STATISTICAL = ("certain outcome", "written until the end", "counts the wait")


def find_leaks(
    frame: pl.DataFrame,
    *,
    label: str,
    made_at: str,
    known_at: str | None = None,
    matured_at: pl.Expr | None = None,
    later: Collection[str] = (),
    key: str | None = None,
) -> tuple[Suspicion, ...]:
    """One suspicion per column that seems to hold what was known only after the decision, in the table's order.

    `label` is the outcome (yes or no, 0 or 1), `made_at` and `known_at` moments, `matured_at` an expression for
    the moment from which either outcome would be known, `later` columns that people say are known only later.
    Columns that follow from `made_at` alone are not suspected by statistics. Fewer than 500 settled rows, or fewer
    than 30 of either outcome, tell nothing.
    """
    history = read_history(frame, label=label, made_at=made_at, known_at=known_at, matured_at=matured_at)
    if history is None:
        return ()
    apart = {label, made_at, known_at, key, *later}
    names = [name for name in frame.columns if name not in apart]
    worst: dict[str, Suspicion] = {}
    for one in _suspicions(history, names, known_at, [name for name in later if name in frame.columns]):
        held = worst.get(one.column)
        if held is None or (held.verdict == "ask" and one.verdict == "refused"):
            worst[one.column] = one
    return tuple(
        worst[name]
        for name in names
        if name in worst and not (worst[name].mechanism in _STATISTICAL and _follows_from_time(history, name))
    )


def _suspicions(
    history: History, names: list[str], known_at: str | None, later: list[str]
) -> Iterator[Suspicion]:
    yield from parts_of_outcomes(history, names, later)
    if known_at is not None:
        yield from times_of_outcome(history, names, history.frame[known_at])
    yield from rewritten_siblings(history, names)
    for name in names:
        yield from _of_column(history, name)


def _of_column(history: History, name: str) -> Iterator[Suspicion]:
    cells = counted(history, name)
    if cells.height < 2:
        return
    found = (
        disguised(history, name, cells),
        certain_values(history, name, cells),
        default_until_updated(history, name, cells),
        counts_the_wait(history, name),
        grows_with_wait(history, name, cells),
    )
    yield from (one for one in found if one is not None)


def _follows_from_time(history: History, name: str) -> bool:
    """Whether the column is the same for all decisions of a day, a time of day, or a weekday; or numbers the rows."""
    made, series = history.made_at, history.frame[name]
    if series.dtype.is_numeric() and series.null_count() == 0 and series.gather(made.arg_sort()).is_sorted():
        return True
    clocks = (made.dt.date(), made.dt.time(), made.dt.weekday())
    return any(_is_function(series, clock) for clock in clocks)


def _is_function(series: pl.Series, clock: pl.Series) -> bool:
    if clock.n_unique() * 5 > len(clock):
        return False
    pairs = pl.DataFrame({"clock": clock, "value": series})
    return pairs.unique().height == pairs["clock"].n_unique()


def product_leaks(product: Product, frame: pl.DataFrame) -> tuple[Suspicion, ...]:
    """The suspicions against columns of a product's examples that no person declared known at the decision.

    `frame` is the table that examples come from, or the examples themselves with lookups and derived columns.
    """
    examples = product.file.examples
    readable = product.matured_at.reads <= set(frame.columns)
    found = find_leaks(
        frame,
        label=product.label,
        made_at=product.made_at,
        known_at=examples.known_at if examples.known_at in frame.columns else None,
        matured_at=product.matured_at.polars if readable else None,
        later=[*examples.outcome.also, *([MATURED_AT] if MATURED_AT in frame.columns else [])],
        key=product.key,
    )
    return tuple(one for one in found if one.column not in examples.known_at_decision)


def refused_features(product: Product, frame: pl.DataFrame) -> list[str]:
    """Problems, in words, one for each feature of the product that the data show to be known only later."""
    return [refusal(one) for one in _of_features(product, frame) if one.verdict == "refused"]


def asked_features(product: Product, frame: pl.DataFrame) -> list[str]:
    """Questions, in words, one for each feature of the product of which only people can tell when it was known."""
    return [asking(one) for one in _of_features(product, frame) if one.verdict == "ask"]


def _of_features(product: Product, frame: pl.DataFrame) -> list[Suspicion]:
    names = {feature.name for feature in product.features}
    return [one for one in product_leaks(product, frame) if one.column in names]


def refusal(one: Suspicion) -> str:
    """What is wrong with a suspected feature, and what to do."""
    return (
        f"model.features: {one}. Leave it out and fit the model again, or, if it really is known at the decision, "
        f"say examples.known_at_decision: [{one.column}]"
    )


def asking(one: Suspicion) -> str:
    """The question that only people can answer about a suspected feature."""
    return (
        f"examples.known_at_decision: was {one.column} known at the decision, as it stands in the table? {one}. "
        f"Say [{one.column}] if so; else leave it out and fit the model again"
    )
