"""The policies that the loop is compared with, on the same rows."""

from collections.abc import Callable, Sequence
from datetime import datetime

import polars as pl

from seatrial.cycle.retrain import Workshop
from seatrial.cycle.tools import History
from seatrial.data.snapshot import examples_as_of
from seatrial.facts.model import Model
from seatrial.facts.rehearsal import PolicyResult
from seatrial.facts.snapshot import Snapshot
from seatrial.measures.blocks import total
from seatrial.ports.runtime import Scorer
from seatrial.product.features import encode
from seatrial.product.product import Product
from seatrial.train.train import train_model

Trainer = Callable[[datetime], Model]


def valued(product: Product, rows: pl.DataFrame, decision: pl.Series) -> pl.Series:
    """The value of each row under the decisions, rows of unknown outcome being worth nothing to anybody."""
    return product.value(rows, decision)["value"].fill_null(0.0)


def constant(product: Product, rows: pl.DataFrame, act: bool) -> pl.Series:
    """Values when every row, or none, is acted on."""
    return valued(product, rows, pl.repeat(act, rows.height, dtype=pl.Boolean, eager=True))


def modelled(product: Product, rows: pl.DataFrame, scorer: Scorer, threshold: float) -> pl.Series:
    """The decisions of one model at its threshold; where it cannot score, the baseline's."""
    scores = pl.Series(scorer.score(encode(rows, product.features)))
    return product.decide(rows, scores, threshold).fill_null(product.baseline(rows))


def monthly(
    product: Product, rows: pl.DataFrame, first: Model, train: Trainer, load: Callable[[Model], Scorer]
) -> tuple[pl.Series, int]:
    """Decisions of a model refitted at the turn of each month on all that matured, and the number of refits."""
    decisions: list[pl.Series] = []
    model = first
    monthly_rows = rows.with_columns(pl.col(product.made_at).dt.truncate("1mo").alias("__month"))
    months = monthly_rows.partition_by("__month", maintain_order=True)
    for number, month in enumerate(months):
        if number:
            model = train(month["__month"][0])
        decisions.append(modelled(product, month, load(model), model.threshold))
    return pl.concat(decisions), len(months) - 1


def refit(workshop: Workshop, history: History) -> Trainer:
    """A trainer for the monthly policy: the same data and settings as the loop, without gates or releases.

    It writes artifacts only, so that it can run beside the loop.
    """
    product, workspace = workshop.product, workshop.workspace

    def train(as_of: datetime) -> Model:
        examples = examples_as_of(product, history.examples, as_of)
        return train_model(
            product,
            examples,
            _unsaved(product, history, examples, as_of),
            framework=workshop.tools.framework,
            runtime=workshop.tools.runtime,
            artifacts=workspace.artifacts,
            clock=workspace.clock,
            why=f"monthly policy at {as_of:%Y-%m-%d}",
            explain=False,
        )

    return train


def _unsaved(product: Product, history: History, examples: pl.DataFrame, as_of: datetime) -> Snapshot:
    """A snapshot in name alone: this policy's models are compared and forgotten, so nobody will read their rows."""
    moments = examples[product.made_at]
    first, last = moments.min(), moments.max()
    assert isinstance(first, datetime)
    assert isinstance(last, datetime)
    return Snapshot(
        id=f"monthly policy at {as_of.isoformat()}",
        product=product.name,
        table="",
        number=0,
        profile="",
        rows=examples.height,
        columns=tuple(examples.columns),
        first_made_at=first,
        last_made_at=last,
        as_of=as_of,
        sources=history.tables.reads,
        rules=history.tables.rules,
        contract_version=product.contract.version,
        product_digest=product.digest,
        created_at=as_of,
    )


def result(
    policy: str,
    product: Product,
    rows: pl.DataFrame,
    values: pl.Series,
    frozen: pl.Series,
    *,
    acted: int,
    retrainings: int = 0,
) -> PolicyResult:
    """One line of the rehearsal's table; intervals by dependence unit."""
    blocks = product.block(rows[product.made_at]).to_numpy()
    months = pl.DataFrame({"month": rows[product.made_at].dt.strftime("%Y-%m"), "value": values})
    by_month: Sequence[tuple[str, float]] = (
        months.group_by("month", maintain_order=True).agg(pl.col("value").sum()).rows()
    )
    return PolicyResult(
        policy=policy,
        value=total(values.to_numpy(), blocks),
        advantage=None if policy == "frozen" else total((values - frozen).to_numpy(), blocks),
        acted=acted,
        by_month=dict(by_month),
        retrainings=retrainings,
    )
