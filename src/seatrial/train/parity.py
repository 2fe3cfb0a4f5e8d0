"""Whether the package scores as the fitted model does: a conversion is never trusted, it is measured."""

import numpy as np

from seatrial.errors import ModelFailed, TrainingFailed
from seatrial.facts.model import Parity
from seatrial.measures.inputs import Floats
from seatrial.ports.runtime import Scorer
from seatrial.product.features import ColumnInputs
from seatrial.product.product import Product
from seatrial.train.scoring import score_in_parts

TOLERANCE = 1e-5
_ROWS = 1500
# No category of anybody's data: a control character and a word.
_UNSEEN = "\x01unseen"


def check_parity(before: Floats, scorer: Scorer, inputs: ColumnInputs) -> Parity:
    """The differences between the fitted model's scores of the inputs, and the scores of its package.

    Raises TrainingFailed when a row exceeds 1e-5, or the package cannot score one.
    """
    try:
        after = score_in_parts(scorer, inputs)
    except ModelFailed as error:
        raise TrainingFailed(
            f"package: expected scores of {before.size} rows, unseen categories and missing values among them, as "
            f"the fitted model gives them; {error}"
        ) from error
    differences = np.abs(before - after)
    # A score that is no number on both sides agrees with nothing.
    differences[~np.isfinite(differences)] = np.inf
    parity = Parity(
        rows=differences.size,
        largest_difference=float(differences.max()),
        tolerance=TOLERANCE,
        differing_rows=int(np.sum(differences > TOLERANCE)),
    )
    if not parity.holds:
        raise TrainingFailed(
            f"package: expected the fitted model's scores within {TOLERANCE:g}; {parity.differing_rows} of "
            f"{parity.rows} rows differ, by up to {parity.largest_difference:.3g}. Known causes: scaling before "
            "trees (rounding crosses a cut) and trees with native categories; pass numbers through and encode "
            "text with an OrdinalEncoder"
        )
    return parity


def parity_rows(product: Product, inputs: ColumnInputs, seed: int) -> ColumnInputs:
    """Up to 1500 real rows, then each of them again with one feature missing or of an unseen category.

    Features take turns. What the contract rules out (nulls of a required column, a word outside a closed
    list) is not made up.
    """
    size = next(iter(inputs.values())).shape[0]
    rows = np.sort(np.random.default_rng([seed, 2]).permutation(size)[:_ROWS])
    real = {name: values[rows] for name, values in inputs.items()}
    odd = {name: values.copy() for name, values in real.items()}
    changes = _changes(product)
    for turn, (name, value) in enumerate(changes):
        odd[name][turn :: len(changes)] = value
    return ColumnInputs({name: np.concatenate([real[name], odd[name]]) for name in real})


def _changes(product: Product) -> list[tuple[str, str | float]]:
    missing = _may_be_missing(product)
    changes: list[tuple[str, str | float]] = []
    for feature in product.features:
        if feature.name in missing:
            changes.append((feature.name, "" if feature.categorical else float("nan")))
        column = product.request.column(feature.name)
        if feature.categorical and (column is None or column.values is None):
            changes.append((feature.name, _UNSEEN))
    return changes


def _may_be_missing(product: Product) -> set[str]:
    """Columns of an example that can be null: those of lookups, those not required, and what is derived from them."""
    required = {column.name for column in product.request.columns if column.required}
    missing = product.columns.keys() - required - product.derive.keys()
    for name, expression in product.derive.items():
        if expression.reads & missing:
            missing.add(name)
    return missing
