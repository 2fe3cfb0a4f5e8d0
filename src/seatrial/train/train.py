"""From matured examples to a packaged model with its evidence.

A model of the older rows is judged on the newer ones and chooses the threshold; then the same estimator is
fitted on all rows, packaged, and held against its package.
"""

import time
from dataclasses import dataclass

import msgspec
import numpy as np
import polars as pl

from seatrial.facts.model import Comparison, Model
from seatrial.facts.snapshot import Snapshot
from seatrial.measures.blocks import mean
from seatrial.measures.calibration import fit_isotonic
from seatrial.measures.classification import brier_losses
from seatrial.measures.inputs import Booleans, Floats
from seatrial.ports.artifacts import Artifacts
from seatrial.ports.clock import Clock
from seatrial.ports.runtime import Runtime
from seatrial.product.features import encode
from seatrial.product.product import MATURED_AT, Product, text_digest
from seatrial.product.reference import encode_reference, make_reference
from seatrial.train.card import Facts, write_card
from seatrial.train.compare import (
    Policy,
    Rival,
    compare,
    constant_policy,
    fixed_policies,
    live_policy,
    scored_policy,
)
from seatrial.train.importance import importances
from seatrial.train.packaging import labels_of, package_with_parity
from seatrial.train.ports import Estimator, Framework, Inputs
from seatrial.train.slices import check_slices, slices
from seatrial.train.split import Split, split_by_time
from seatrial.train.validation import Validation, make_validation

__all__ = ["Rival", "train_model"]

# More rows hardly change what a linear model can do, and it is only compared with.
_LINEAR_ROWS = 10_000


def train_model(
    product: Product,
    examples: pl.DataFrame,
    snapshot: Snapshot,
    *,
    framework: Framework,
    runtime: Runtime,
    artifacts: Artifacts,
    clock: Clock,
    why: str,
    rival: Rival | None = None,
    explain: bool = True,
) -> Model:
    """The model, not yet registered; its package, reference and card are stored.

    Without `explain` the linear model and the importances are left out: for a model that nobody will look at.

    `examples` are the snapshot's matured rows; those whose outcome never came are left out. The same rows,
    product and libraries give the same id. `training_rows` counts the rows in the package, of which
    `validation_rows` judged a model of the others. With `rival`, the live model is compared on the same rows.

    Raises TrainingFailed when there is too little history, the estimator cannot be used, or no package of it
    scores as the fitted model; ProductFileInvalid when the product has no objective.
    """
    started = time.perf_counter()
    check_slices(product)
    estimator = framework.load(product)
    rows = examples.drop_nulls(product.label)
    split = split_by_time(product, rows)
    trial = _try(product, estimator, framework, split, rival, explain=explain)
    packaged = package_with_parity(product, estimator, rows, runtime)
    reference = make_reference(rows, product.features, trial.scores)
    artifact = artifacts.put(packaged.package)
    first, last = rows[product.made_at].sort()[[0, -1]].to_list()
    model = Model(
        id=_identity(product, snapshot, artifact, trial.threshold, estimator),
        product=product.name,
        snapshot=snapshot.id,
        artifact=artifact,
        estimator=estimator.name,
        features=tuple(feature.name for feature in product.features),
        threshold=trial.threshold,
        trained_at=clock.now(),
        trained_from=first,
        trained_to=last,
        training_rows=rows.height,
        validation_rows=trial.validation.labels.size,
        seconds=0.0,
        seed=product.file.train.seed,
        parity=packaged.parity,
        comparisons=trial.comparisons,
        slices=slices(trial.validation, trial.values, trial.losses),
        importances=trial.importances,
        promise=trial.validation.promise(trial.scores),
        promised_loss=mean(trial.losses, trial.validation.blocks),
        calibration=trial.calibration,
        reference=artifacts.put(encode_reference(reference)),
        longest_wait=_longest_wait(product, rows),
        card="",
        why=why,
        served_by=packaged.served_by,
        not_converted=packaged.not_converted,
    )
    card = artifacts.put(write_card(product, snapshot, model, _facts(split, trial)).encode())
    return msgspec.structs.replace(model, card=card, seconds=round(time.perf_counter() - started, 3))


def _longest_wait(product: Product, rows: pl.DataFrame) -> float:
    waits = rows.select((pl.col(MATURED_AT) - pl.col(product.made_at)).max().dt.total_seconds())
    return float(waits.item() or 0)


@dataclass(frozen=True)
class _Trial:
    """How a model of the older rows did on the newer ones."""

    validation: Validation
    policy: Policy
    comparisons: tuple[Comparison, ...]
    importances: dict[str, float]

    @property
    def scores(self) -> Floats:
        assert self.policy.scores is not None
        return self.policy.scores

    @property
    def threshold(self) -> float:
        assert self.policy.threshold is not None
        return self.policy.threshold

    @property
    def values(self) -> Floats:
        return self.policy.values

    @property
    def losses(self) -> Floats:
        return brier_losses(self.validation.labels, self.scores)

    @property
    def calibration(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        fitted = fit_isotonic(self.scores, self.validation.labels)
        return fitted.scores, fitted.probabilities


def _try(
    product: Product,
    estimator: Estimator,
    framework: Framework,
    split: Split,
    rival: Rival | None,
    *,
    explain: bool,
) -> _Trial:
    validation = make_validation(product, split.validation)
    inputs, labels = encode(split.training, product.features), labels_of(product, split.training)
    seed = product.file.train.seed
    fitted = estimator.fit(inputs, labels, product.features, seed)
    policy = scored_policy("model", validation, fitted.score(validation.inputs))
    policies = (
        policy,
        constant_policy(validation, float(labels.mean())),
        *([_linear(product, framework, inputs, labels, validation)] if explain else []),
        *fixed_policies(validation),
        *([live_policy(validation, rival)] if rival else []),
    )
    return _Trial(
        validation=validation,
        policy=policy,
        comparisons=compare(policies, validation),
        importances=importances(fitted, validation.inputs, validation.labels, seed) if explain else {},
    )


def _linear(
    product: Product, framework: Framework, inputs: Inputs, labels: Booleans, validation: Validation
) -> Policy:
    seed = product.file.train.seed
    rows = np.sort(np.random.default_rng([seed, 0]).permutation(labels.size)[:_LINEAR_ROWS])
    sample = {name: values[rows] for name, values in inputs.items()}
    fitted = framework.linear(product.features).fit(sample, labels[rows], product.features, seed)
    return scored_policy("linear", validation, fitted.score(validation.inputs))


def _identity(
    product: Product, snapshot: Snapshot, artifact: str, threshold: float, estimator: Estimator
) -> str:
    """The digest over what the model is: not over when, how fast or why it was made."""
    settings = product.file.train.model_dump_json()
    features = (f"{feature.name}:{feature.type}" for feature in product.features)
    return text_digest(
        product.name, artifact, snapshot.id, repr(threshold), settings, estimator.name,
        product.objective.digest, *features,
    )  # fmt: skip


def _facts(split: Split, trial: _Trial) -> Facts:
    validation = trial.validation
    decision = validation.product.decide(validation.frame, pl.Series(trial.scores), trial.threshold)
    capped = validation.product.value(validation.frame, decision)["capped"]
    return Facts(
        compared_rows=split.training.height,
        embargoed_rows=split.embargoed,
        linear_rows=min(split.training.height, _LINEAR_ROWS),
        unvalued_rows=split.validation.height - validation.frame.height,
        capped_rows=int(capped.sum()),
    )
