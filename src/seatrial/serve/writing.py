"""Verdicts as predictions: what each caller is answered, and what is journaled of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from seatrial.facts.prediction import PredictionBlock
from seatrial.serve.judging import Verdicts
from seatrial.serve.loaded import LoadedRelease
from seatrial.serve.reading import Work
from seatrial.serve.request import Answered, Answers
from seatrial.serve.ruling import Roles, Ruling
from seatrial.serve.sheets import Columns, Sheet

RowIds = Callable[[Work], list[str]]
ValueT = TypeVar("ValueT")


@dataclass(frozen=True, slots=True)
class RowFacts:
    """What all predictions of a row share, one entry per row of the micro-batch; moments in microseconds."""

    ids: Sequence[str]
    keys: Sequence[str]
    made_at: Sequence[int]
    received_at: Sequence[int]
    idempotency_keys: Sequence[str | None]
    trace_ids: Sequence[str | None]
    latencies: Sequence[float]

    def taken(self, places: Sequence[int]) -> "RowFacts":
        """The facts of the rows at some places."""
        return RowFacts(
            _at(self.ids, places),
            _at(self.keys, places),
            _at(self.made_at, places),
            _at(self.received_at, places),
            _at(self.idempotency_keys, places),
            _at(self.trace_ids, places),
            _at(self.latencies, places),
        )


def row_facts(
    works: Sequence[Work],
    sheet: Sheet,
    keys: Sequence[str],
    row_ids: RowIds,
    latency_ms: Callable[[Work], float],
) -> RowFacts:
    """The facts of the works' rows, in order."""
    if len(works) == 1:
        [work] = works
        n = len(work.rows)
        return RowFacts(
            row_ids(work),
            keys,
            sheet.columns[sheet.loaded.product.made_at],
            [work.received_at] * n,
            [work.request.idempotency_key] * n,
            [work.request.trace_id] * n,
            [latency_ms(work)] * n,
        )
    whose = [work for work in works for _ in work.rows]
    waited = {id(work): latency_ms(work) for work in works}
    return RowFacts(
        [name for work in works for name in row_ids(work)],
        keys,
        sheet.columns[sheet.loaded.product.made_at],
        [work.received_at for work in whose],
        [work.request.idempotency_key for work in whose],
        [work.request.trace_id for work in whose],
        [waited[id(work)] for work in whose],
    )


def block(
    loaded: LoadedRelease,
    facts: RowFacts,
    verdicts: Verdicts,
    roles: Roles,
    *,
    features: Columns,
    matured_at: Sequence[int | None],
    baselines: Sequence[bool],
) -> PredictionBlock:
    """The predictions of one release, as they are journaled."""
    bundle = loaded.release.bundle
    # The encoder takes any sequence; the type says what a decoder gives.
    columns: dict[str, Any] = {
        "prediction_id": facts.ids,
        "idempotency_key": facts.idempotency_keys,
        "trace_id": facts.trace_ids,
        "key": facts.keys,
        "assigned": roles.assigned,
        "served": roles.served,
        "made_at": facts.made_at,
        "received_at": facts.received_at,
        "matured_at": matured_at,
        "score": verdicts.scores,
        "decision": verdicts.decisions,
        "baseline": baselines,
        "propensity": roles.propensities,
        "fallback": verdicts.fallbacks,
        "latency_ms": facts.latencies,
        "features": features,
    }
    return PredictionBlock(
        product=bundle.product,
        release=loaded.id,
        model_digest=bundle.model,
        contract_version=loaded.product.contract.version,
        unit=None,
        **columns,
    )


def answers(live: str, works: Sequence[Work], facts: RowFacts, ruling: Ruling) -> list[Answers]:
    """One per work."""
    found: list[Answers] = []
    verdicts, at = ruling.verdicts, 0
    for work in works:
        end = at + len(work.rows)
        part = slice(at, end)
        predictions = list(
            map(
                Answered,
                work.positions,
                facts.ids[part],
                facts.keys[part],
                verdicts.scores[part],
                verdicts.decisions[part],
                ruling.releases[part],
                ruling.roles.served[part],
                verdicts.fallbacks[part],
            )
        )
        found.append(Answers(release=live, predictions=predictions, faults=work.faults))
        at = end
    return found


def _at(column: Sequence[ValueT], places: Sequence[int]) -> list[ValueT]:
    return [column[place] for place in places]
