"""Scores of many rows: a model in a process of its own has a timeout, which is meant for the rows of one batch."""

import numpy as np

from seatrial.measures.inputs import Floats
from seatrial.ports.runtime import Scorer
from seatrial.product.features import ColumnInputs

_ROWS = 512


def score_in_parts(scorer: Scorer, inputs: ColumnInputs) -> Floats:
    """Probabilities of shape (n_rows,), as the scorer gives them for up to 512 rows at a time if it runs isolated.

    Raises what the scorer raises.
    """
    if not scorer.isolated:
        return scorer.score(inputs)
    size = next(iter(inputs.values())).shape[0]
    parts = (
        ColumnInputs({name: values[start : start + _ROWS] for name, values in inputs.items()})
        for start in range(0, size, _ROWS)
    )
    return np.concatenate([np.empty(0), *(scorer.score(part) for part in parts)])
