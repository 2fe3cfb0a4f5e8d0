"""Verdicts as predictions: who answers each row, and what is journaled beside the answer."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from seatrial.facts.prediction import Prediction, Variant
from seatrial.serve.batch import Work
from seatrial.serve.judging import Verdicts
from seatrial.serve.loaded import LoadedRelease
from seatrial.serve.request import Answers, Request
from seatrial.serve.routing import Routes, assign, propensity

RowId = Callable[[str, Request, int], str]
_MILLISECOND = timedelta(milliseconds=1)


@dataclass
class Answered:
    """Answers per request; all predictions to journal, shadows beside their answers; diversions to live."""

    answers: list[Answers] = field(default_factory=list)
    records: list[Prediction] = field(default_factory=list)
    diverted: Counter[tuple[str, str]] = field(default_factory=Counter)


def write_up(
    routes: Routes, works: Sequence[Work], panel: Sequence[Verdicts], row_id: RowId, now: datetime
) -> Answered:
    """The answers to the works, whose rows the panel (live first, then the challenger) judged in this order."""
    answered = Answered()
    at = 0
    for work in works:
        pens = [
            _Pen(loaded, verdicts, work, now) for loaded, verdicts in zip(routes.releases, panel, strict=True)
        ]
        predictions = []
        for row, position in zip(work.rows, work.positions, strict=True):
            name = row_id(routes.live.product.name, work.request, position)
            answer, *beside = _row(routes, pens, row, at, name, answered.diverted)
            predictions.append(answer)
            answered.records += [answer, *beside]
            at += 1
        answered.answers.append(
            Answers(predictions=tuple(predictions), rows=tuple(work.positions), faults=tuple(work.faults))
        )
    return answered


def _row(
    routes: Routes,
    pens: Sequence["_Pen"],
    row: dict[str, Any],
    at: int,
    name: str,
    diverted: Counter[tuple[str, str]],
) -> Iterator[Prediction]:
    """The answer, then the prediction of the release beside it as its shadow."""
    product = routes.live.product
    key = str(row[product.key])
    matured_at = pens[0].verdicts.matured_at[at]
    assert matured_at is not None  # rows that never mature were refused before
    facts = _RowFacts(at, name, key, row[product.made_at], matured_at)
    assigned = assign(key, routes.salt, routes.share)
    serving = _serving(assigned, pens, at, diverted)
    served = Variant.LIVE if serving is pens[0] else Variant.CANARY
    yield serving.write(facts, assigned, served, propensity(assigned, routes.share))
    for pen in pens:
        if pen is not serving:
            yield pen.write(facts, Variant.SHADOW, Variant.SHADOW, 1.0)


def _serving(
    assigned: Variant, pens: Sequence["_Pen"], at: int, diverted: Counter[tuple[str, str]]
) -> "_Pen":
    """A canary that has no score for a row leaves it to the live release."""
    if assigned != Variant.CANARY:
        return pens[0]
    reason = pens[1].verdicts.fallbacks[at]
    if reason is None:
        return pens[1]
    diverted[pens[1].loaded.id, reason] += 1
    return pens[0]


class _RowFacts(NamedTuple):
    """What all predictions of one row share; `at` is its place in the batch."""

    at: int
    name: str
    key: str
    made_at: datetime
    matured_at: datetime


@dataclass(frozen=True)
class _Pen:
    """Writes one release's predictions of one request."""

    loaded: LoadedRelease
    verdicts: Verdicts
    work: Work
    now: datetime

    def write(self, facts: _RowFacts, assigned: Variant, served: Variant, chance: float) -> Prediction:
        verdicts, bundle, at = self.verdicts, self.loaded.release.bundle, facts.at
        return Prediction(
            prediction_id=facts.name,
            idempotency_key=self.work.request.idempotency_key,
            unit=facts.key,
            assigned=assigned,
            served=served,
            product=bundle.product,
            release=self.loaded.id,
            model_digest=bundle.model,
            key=facts.key,
            made_at=facts.made_at,
            received_at=self.work.received_at,
            matured_at=verdicts.matured_at[at] or facts.matured_at,
            features=verdicts.features[at],
            score=verdicts.scores[at],
            decision=verdicts.decisions[at],
            baseline=verdicts.baselines[at],
            propensity=chance,
            fallback=verdicts.fallbacks[at],
            latency_ms=max(0.0, (self.now - self.work.received_at) / _MILLISECOND),
            contract_version=self.loaded.product.contract.version,
            trace_id=self.work.request.trace_id,
        )
