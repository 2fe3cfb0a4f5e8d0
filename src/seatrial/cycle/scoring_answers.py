"""One chunk through the engine that answers requests: its answers, what it refused, and what is recorded."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count, islice
from typing import Any

import msgspec
import polars as pl

from seatrial.contract.types import TIMESTAMP
from seatrial.cycle.scoring_chunks import Chunk
from seatrial.cycle.scoring_rows import input_columns, places, refusals, request_rows
from seatrial.facts.prediction import PredictionBlock, Variant
from seatrial.facts.records import decode_predictions
from seatrial.facts.release import Release
from seatrial.facts.scoring_run import ScoringRun
from seatrial.ports.artifacts import Artifacts
from seatrial.ports.outputs import PartCounts
from seatrial.ports.runtime import Runtime
from seatrial.product.product import Product
from seatrial.serve.collected import CollectedRecords
from seatrial.serve.engine import Engine
from seatrial.serve.loaded import LoadedRelease
from seatrial.serve.loading import load_release
from seatrial.serve.request import Answered, Answers, Fault, Request
from seatrial.serve.routing import Routes

_REQUEST_ROWS = 256
ANSWER_SCHEMA: dict[str, Any] = {
    "row": pl.Int64(),
    "file": pl.String(),
    "prediction_id": pl.String(),
    "key": pl.String(),
    "score": pl.Float64(),
    "decision": pl.Boolean(),
    "release": pl.String(),
    "variant": pl.String(),
    "fallback": pl.String(),
    "made_at": TIMESTAMP,
}


@dataclass(frozen=True)
class Scored:
    """A chunk's answers in the columns of the output, its refused rows as JSON, and what the journal would hold."""

    answers: pl.DataFrame
    refused: list[bytes]
    blocks: list[PredictionBlock]

    @property
    def counts(self) -> PartCounts:
        """What the chunk's part holds."""
        fallbacks = self.answers["fallback"].count()
        return PartCounts(answered=self.answers.height, fallbacks=fallbacks, refused=len(self.refused))


@dataclass(frozen=True)
class _Still:
    """A clock that stands at the run's beginning, so that a chunk that is scored again gets the same answers."""

    at: datetime

    def now(self) -> datetime:
        return self.at


def pinned_routes(run: ScoringRun, artifacts: Artifacts, runtime: Runtime) -> Routes:
    """The run's releases, loaded and warm. Raises what `load_release` raises."""

    def loaded(release: Release) -> LoadedRelease:
        return load_release(release, artifacts, runtime, published=run.lookups)

    return Routes.of(loaded(run.live), None if run.challenger is None else loaded(run.challenger))


@dataclass(frozen=True)
class Answering:
    """Answers chunks of one run. Each chunk has an engine of its own: nothing of one chunk bears on another."""

    run: ScoringRun
    routes: Routes

    @property
    def product(self) -> Product:
        """The product of the live release, whose contract the rows are held to."""
        return self.routes.live.product

    def score(self, chunk: Chunk) -> Scored:
        """The chunk's answers, under ids that come out the same each time. Raises what an engine gives."""
        answers, records = self._answer(request_rows(self.product, chunk), chunk.number)
        blocks = [decode_predictions(record) for record in records]
        table = _table(chunk, answers.predictions, _made_at(blocks))
        if self.run.options.with_input:
            asked = input_columns(self.product, chunk)
            table = table.hstack(asked[[answered.row for answered in answers.predictions]])
        return Scored(table, refusals(chunk, answers.faults), blocks)

    def empty(self) -> pl.DataFrame:
        """The columns of the output without a row."""
        return self.score(Chunk(0, 0, ())).answers

    def _answer(self, rows: Sequence[dict[str, Any]], number: int) -> tuple[Answers, list[bytes]]:
        """As requests of a few hundred rows: a row at fault is then sought among those alone.

        They make one micro-batch, unless a model is isolated: what takes too long or crashes it should cost few rows.
        """
        records = CollectedRecords()
        # On a clock that stands still, so that a chunk that is scored again comes out the same.
        engine = Engine(
            self.routes,
            records,
            _Still(self.run.started_at),
            ids=_ids(self.run.run, number),
            elapsed=lambda: 0.0,
        )
        requests = [
            Request(rows=rows[first : first + _REQUEST_ROWS], partial=True, received_at=self.run.started_at)
            for first in range(0, len(rows), _REQUEST_ROWS)
        ]
        # The engine is not closed: that would let go of the models, which the next chunk needs.
        isolated = any(loaded.scorer.isolated for loaded in self.routes.releases)
        batches = [[request] for request in requests] if isolated else [requests]
        results = [result for batch in batches if batch for result in engine.predict_many(batch)]
        return _joined(self.routes.live.id, results), records.taken()


def _ids(run: str, number: int) -> Callable[[int], list[str]]:
    """Ids by run, chunk and place among the chunk's answers, in the shape of those of requests."""
    prefix, places = f"{run}{number:06x}", count()
    return lambda rows: [f"{prefix}{place:06x}" for place in islice(places, rows)]


def _joined(live: str, results: Sequence[Answers | Exception]) -> Answers:
    """The answers as of one request. Raises the first error."""
    predictions: list[Answered] = []
    faults: list[Fault] = []
    for part, result in enumerate(results):
        if isinstance(result, Exception):
            raise result
        first = part * _REQUEST_ROWS
        predictions += (msgspec.structs.replace(one, row=first + one.row) for one in result.predictions)
        faults += ({**fault, "row": first + int(str(fault["row"]))} for fault in result.faults)
    return Answers(release=live, predictions=predictions, faults=faults)


def _table(chunk: Chunk, answered: Sequence[Answered], made_at: Mapping[str, int]) -> pl.DataFrame:
    files = places(chunk)
    rows = [
        (
            chunk.first_row + one.row,
            files[one.row],
            one.prediction_id,
            one.key,
            one.score,
            one.decision,
            one.release,
            str(one.variant),
            one.fallback,
            made_at[one.prediction_id],
        )
        for one in answered
    ]
    held = {**ANSWER_SCHEMA, "made_at": pl.Int64()}
    return pl.DataFrame(rows, schema=held, orient="row").cast(pl.Schema({"made_at": TIMESTAMP}))


def _made_at(blocks: Sequence[PredictionBlock]) -> dict[str, int]:
    """Microseconds since 1970, per prediction that was an answer."""
    return {
        name: moment
        for block in blocks
        for name, moment, served in zip(block.prediction_id, block.made_at, block.served, strict=True)
        if served != Variant.SHADOW
    }
