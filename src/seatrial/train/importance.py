"""Which features the model leans on: permutation importance (Breiman, Machine Learning 2001)."""

import numpy as np

from seatrial.measures.classification import log_losses
from seatrial.measures.inputs import Booleans
from seatrial.train.ports import Fitted, Inputs

_ROWS = 2000


def importances(fitted: Fitted, inputs: Inputs, labels: Booleans, seed: int) -> dict[str, float]:
    """By how many nats the mean log loss rises when a feature's values change rows, the largest first.

    Measured on at most 2000 rows, each feature permuted once; about 0 or below: the model does not use it.
    """
    random = np.random.default_rng([seed, 1])
    rows = np.sort(random.permutation(labels.size)[:_ROWS])
    sample = {name: values[rows] for name, values in inputs.items()}
    truth = labels[rows]
    before = _loss(fitted, sample, truth)
    rises = {
        name: _loss(fitted, {**sample, name: random.permutation(values)}, truth) - before
        for name, values in sample.items()
    }
    return dict(sorted(rises.items(), key=lambda rise: (-rise[1], rise[0])))


def _loss(fitted: Fitted, inputs: Inputs, labels: Booleans) -> float:
    return float(np.mean(log_losses(labels, fitted.score(inputs))))
