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

RowIds = Callable[[Sequence[Work]], list[str]]
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
    works: Sequence[Work], sheet: Sheet, keys: Sequence[str], row_ids: RowIds, latencies: Sequence[float]
) -> RowFacts:
    """The facts of the works' rows, in order; `latencies` in milliseconds are per work."""
    requests = [work.request for work in works]
    columns = (
        [work.received_at for work in works],
        [request.idempotency_key for request in requests],
        [request.trace_id for request in requests],
        latencies,
    )
    sizes = [len(work.rows) for work in works]
    if any(size != 1 for size in sizes):
        columns = tuple(_spread(column, sizes) for column in columns)  # type: ignore[assignment]  # as they were
    return RowFacts(row_ids(works), keys, sheet.columns[sheet.loaded.product.made_at], *columns)


def _spread(column: Sequence[ValueT], sizes: Sequence[int]) -> list[ValueT]:
    return [value for value, size in zip(column, sizes, strict=True) for _ in range(size)]


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
