"""How much weight each row outranks and is outranked by: the sums behind the area under the ROC curve.

Ties count half (Mann & Whitney 1947). O(n log n).
"""

from typing import NamedTuple

import numpy as np

from seatrial.measures.inputs import Floats


class Concordance(NamedTuple):
    """Per row: weight of negatives `below` it and weight of positives `above` it, equal scores counted half."""

    below: Floats
    above: Floats


def concordance(scores: Floats, positive: Floats, negative: Floats) -> Concordance:
    """The concordance of each row; `positive` and `negative` are the rows' weights as either class.

    sum(positive * below) = sum(negative * above) is the weight of rightly ordered pairs.
    """
    _, place = np.unique(scores, return_inverse=True)
    negatives, positives = np.bincount(place, weights=negative), np.bincount(place, weights=positive)
    below = np.cumsum(negatives) - 0.5 * negatives
    above = positives.sum() - np.cumsum(positives) + 0.5 * positives
    return Concordance(below[place], above[place])
