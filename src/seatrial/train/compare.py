"""What each policy would have earned on the validation rows, and how much more the model does."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl

from seatrial.facts.model import Comparison
from seatrial.measures.blocks import total
from seatrial.measures.classification import auc, log_loss
from seatrial.measures.inputs import Booleans, Floats
from seatrial.ports.runtime import Scorer
from seatrial.product.features import encode
from seatrial.product.product import Product
from seatrial.train.scoring import score_in_parts
from seatrial.train.validation import Validation, checked_scores


@dataclass(frozen=True)
class Rival:
    """The model that is live now; `product` is the one it was released with, by default the present one.

    `trained_to` is the last decision it was trained on: it is compared on later rows alone, or on all when None.
    """

    scorer: Scorer
    threshold: float
    product: Product | None = None
    trained_to: datetime | None = None


@dataclass(frozen=True)
class Policy:
    """One way to decide, played on the validation rows: the value of each row, and how it scored them, if it did.

    `fresh` marks the rows that it has not been trained on; None means all.
    """

    name: str
    values: Floats
    scores: Floats | None = None
    threshold: float | None = None
    fresh: Booleans | None = None


def scored_policy(name: str, validation: Validation, scores: Floats) -> Policy:
    """Deciding by scores, at the threshold that the product declares or that is best for them."""
    threshold = validation.threshold(checked_scores(scores, name))
    decision = validation.product.decide(validation.frame, pl.Series(scores), threshold)
    return Policy(name, validation.values(decision), scores, threshold)


def constant_policy(validation: Validation, share: float) -> Policy:
    """Deciding by the share of outcomes in the training rows, the same for every row."""
    return scored_policy("constant", validation, np.full(validation.labels.size, share))


def live_policy(validation: Validation, rival: Rival) -> Policy:
    """Deciding as the live release does, valued under the present objective."""
    product = rival.product or validation.product
    scores = score_in_parts(rival.scorer, encode(validation.frame, product.features))
    decision = product.decide(validation.frame, pl.Series(checked_scores(scores, "live")), rival.threshold)
    fresh = None
    if rival.trained_to is not None:
        fresh = (validation.frame[product.made_at] > rival.trained_to).to_numpy()
    return Policy("live", validation.values(decision), scores, rival.threshold, fresh)


def fixed_policies(validation: Validation) -> tuple[Policy, ...]:
    """Today's rule, always acting, never acting."""
    rows = validation.frame.height
    decisions = {
        "baseline": validation.product.baseline(validation.frame),
        "act_always": pl.repeat(True, rows, eager=True),
        "act_never": pl.repeat(False, rows, eager=True),
    }
    return tuple(Policy(name, validation.values(decision)) for name, decision in decisions.items())


def compare(policies: tuple[Policy, ...], validation: Validation) -> tuple[Comparison, ...]:
    """Each policy's total value, and the first one's advantage over it, paired row by row.

    A policy is compared on the rows that are fresh to it, and left out when none is.
    """
    model = policies[0]
    judged = [policy for policy in policies if policy.fresh is None or policy.fresh.any()]
    return tuple(_comparison(policy, model, validation) for policy in judged)


def _comparison(policy: Policy, model: Policy, validation: Validation) -> Comparison:
    fresh = slice(None) if policy.fresh is None else policy.fresh
    labels, blocks = validation.labels[fresh], validation.blocks[fresh]
    scores = None if policy.scores is None else policy.scores[fresh]
    gain = (model.values - policy.values)[fresh]
    return Comparison(
        policy=policy.name,
        value=total(policy.values[fresh], blocks),
        advantage=None if policy is model else total(gain, blocks),
        log_loss=None if scores is None else log_loss(labels, scores).value,
        auc=None if scores is None else auc(labels, scores).value,
        threshold=policy.threshold,
    )
