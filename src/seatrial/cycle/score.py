"""Batch scoring: files through the engine that answers requests, so that every row comes out exactly once.

A run takes its files chunk by chunk. Each chunk's part is written under its number, its predictions are committed
under the run and that number, and then the run is recorded as having come so far. Releases, lookups and the present
moment are pinned when the run begins, so that a chunk that was scored before a crash is scored the same after it:
writing it again replaces the part by the same one, and committing it again adds nothing.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

import msgspec
import polars as pl

from seatrial.cycle.aside import tell_unfit
from seatrial.cycle.columns import predictions_frame
from seatrial.cycle.routes import RecordedRoutes
from seatrial.cycle.scoring_answers import Answering, Scored, pinned_routes
from seatrial.cycle.scoring_chunks import Chunk, ScoringInputs, chunks
from seatrial.cycle.scoring_rows import refuse_other_columns
from seatrial.errors import Conflict, NotFound, NotReady
from seatrial.facts.release import Release
from seatrial.facts.scoring_run import DONE, InputFile, ScoringOptions, ScoringRun
from seatrial.facts.tables import table_name
from seatrial.ports.outputs import ScoringOutput
from seatrial.ports.runtime import Runtime
from seatrial.ports.workspace import Workspace
from seatrial.product.product import text_digest
from seatrial.serve.ports import RouteTable

Told = Callable[[ScoringRun], None]
_ANEW = "--restart scores everything anew, under new prediction ids"


@dataclass(frozen=True)
class Work:
    """What a run needs: where it reads, what it asks, where its answers go, and what runs the models."""

    workspace: Workspace
    product: str
    inputs: ScoringInputs
    options: ScoringOptions
    output: ScoringOutput
    runtime: Runtime


@dataclass(frozen=True)
class Finished:
    """A finished run. `before` says that it was finished already, `resumed_at` how many rows were read before."""

    run: ScoringRun
    before: bool = False
    resumed_at: int = 0


def score(work: Work, *, restart: bool = False, told: Told = lambda _: None) -> Finished:
    """The run into the output, finished: a new one, or the one that an earlier start left. `told` of every chunk.

    Raises Conflict when the output holds what this run cannot go on with (other files or options, answers of nobody
    known) or another process is at it, NotReady when no release is live, NotFound when the named release or the
    output of a finished run is not there, DataRefused when the first file has not the columns of a request,
    SourceFailed and StorageFailed when reading and writing fail. Started again, the run goes on where it stopped.
    """
    with work.output.claimed():
        before = _last_run(work)
        if before is None and not restart and work.output.holds_other():
            raise Conflict(
                f"{work.output.place} holds something, and no run into it is recorded here; name another output, "
                "or give --restart to replace it"
            )
        if before is None or restart:
            return Finished(_completed(work, _begun(work, before), told, fresh=True))
        _refuse_changes(before, work)
        parts_gone = work.output.missing(before.chunks, finished=before.state == DONE)
        if parts_gone:
            raise NotFound(f"{', '.join(parts_gone)}: a part of this run that was there is gone; {_ANEW}")
        if before.state == DONE:
            work.output.tidy()
            return Finished(before, before=True)
        return Finished(_completed(work, before, told, fresh=False), resumed_at=before.rows)


def _last_run(work: Work) -> ScoringRun | None:
    with work.workspace.metadata.begin() as transaction:
        return transaction.get(ScoringRun, work.product, _slot(work.output))


def _slot(output: ScoringOutput) -> str:
    return text_digest(output.place)


def _refuse_changes(before: ScoringRun, work: Work) -> None:
    changes = [*_changed_files(before.inputs, work.inputs.files()), *_changed_options(before, work.options)]
    if changes:
        left = "is finished" if before.state == DONE else f"has scored {before.rows:,} rows"
        raise Conflict(
            f"{before.output}: the run into it, begun at {before.started_at:%Y-%m-%d %H:%M}, {left}, and is not what "
            f"is asked for now: {'; '.join(changes)}; name another output for another run, or {_ANEW}"
        )


def _changed_files(before: tuple[InputFile, ...], now: tuple[InputFile, ...]) -> Iterator[str]:
    old, new = ({file.place: file.stamp for file in files} for files in (before, now))
    yield from (f"{place} changed since" for place in old if place in new and old[place] != new[place])
    yield from (f"{place} is new" for place in new if place not in old)
    yield from (f"{place} is gone" for place in old if place not in new)
    if set(old) == set(new) and list(old) != list(new):
        yield "the files come in another order"


def _changed_options(before: ScoringRun, now: ScoringOptions) -> Iterator[str]:
    for name in now.__struct_fields__:
        was, asked = getattr(before.options, name), getattr(now, name)
        if was != asked:
            yield (
                "the files are read in another way"
                if name == "reading"
                else f"{name} was {was!r} and is {asked!r}"
            )


def _begun(work: Work, before: ScoringRun | None) -> ScoringRun:
    """A new run, not recorded yet."""
    files, routes = work.inputs.files(), _routes(work)
    attempt = 1 if before is None else before.attempt + 1
    live = RecordedRoutes(work.workspace.metadata, work.product).current()
    return ScoringRun(
        id=_slot(work.output),
        product=work.product,
        run=_run_id(work, files, attempt),
        attempt=attempt,
        output=work.output.place,
        inputs=files,
        options=work.options,
        live=routes.live,
        challenger=routes.challenger,
        lookups=routes.lookups,
        recorded=work.options.recorded and live is not None and live.live.id == routes.live.id,
        started_at=work.workspace.clock.now(),
    )


def _run_id(work: Work, files: tuple[InputFile, ...], attempt: int) -> str:
    texts = [work.product, work.output.place, str(attempt), msgspec.json.encode(work.options).decode()]
    return text_digest(*texts, *(text for file in files for text in (file.place, file.stamp))).partition(":")[
        2
    ][:20]


def _routes(work: Work) -> RouteTable:
    """Who answers: as requests are answered now, or the named release alone."""
    metadata, named = work.workspace.metadata, work.options.release
    table = RecordedRoutes(metadata, work.product).current()
    if named is None:
        if table is None:
            raise NotReady(
                f"{work.product}: no release is live; `seatrial launch` makes one, or name one by --release"
            )
        return table
    with metadata.begin() as transaction:
        release = transaction.get(Release, work.product, named)
        known = [one.id for one in transaction.all(Release, work.product)]
    if release is None:
        raise NotFound(f"{work.product} has no release {named}; there {_are(known)}")
    return RouteTable(live=release, lookups=table.lookups if table else {})


def _are(names: list[str]) -> str:
    return f"are {', '.join(names)}" if names else "is none"


def _completed(work: Work, run: ScoringRun, told: Told, *, fresh: bool) -> ScoringRun:
    """The run, finished. A fresh one is recorded once its releases are loaded and its first rows were read."""
    routes = pinned_routes(run, work.workspace.artifacts, work.runtime)
    try:
        answering = Answering(run, routes)
        cut = chunks(
            work.inputs, run.options.batch_rows, number=run.chunks, first_row=run.rows, start=run.mark
        )
        first = next(cut, None)
        if fresh:
            _record_beginning(work, answering, first)
        committed = _committed(work, run)
        for chunk in chain([first] if first else [], cut):
            run = _taken(work, run, answering, chunk, committed)
            told(run)
        return _ended(work, run, answering)
    finally:
        for loaded in routes.releases:
            loaded.scorer.close()


def _record_beginning(work: Work, answering: Answering, first: Chunk | None) -> None:
    for piece in first.pieces if first else ():
        if piece.rows.height:
            refuse_other_columns(answering.product, piece.place, piece.rows.schema)
            break
    # Cleared before it is recorded: what lay there would otherwise count as parts of this run.
    work.output.clear()
    run = answering.run
    _store(
        work,
        run,
        "scoring begun",
        {"release": run.live.id, "files": len(run.inputs), "recorded": run.recorded},
    )


def _taken(work: Work, run: ScoringRun, answering: Answering, chunk: Chunk, committed: int) -> ScoringRun:
    """The run with one chunk more; its part and its predictions come first, so that none is skipped.

    A chunk that is committed has its part already: a model that is not the same twice would answer it otherwise.
    """
    if chunk.number > committed:
        scored = answering.score(chunk)
        work.output.put(chunk.number, scored.answers, scored.refused)
        if run.recorded and scored.blocks:
            _commit(work, run, answering, chunk.number, scored)
        counts = scored.counts
    else:
        counts = work.output.held(chunk.number)
    run = msgspec.structs.replace(
        run,
        chunks=chunk.number + 1,
        mark=chunk.end,
        rows=run.rows + chunk.rows,
        answered=run.answered + counts.answered,
        fallbacks=run.fallbacks + counts.fallbacks,
        refused=run.refused + counts.refused,
    )
    with work.workspace.metadata.begin() as transaction:
        transaction.put(run)
    return run


def _committed(work: Work, run: ScoringRun) -> int:
    """The last chunk whose predictions are in the table; -1 before any."""
    last = work.workspace.tables.version(table_name(work.product, "predictions"), _writer(run))
    return -1 if last is None else last


def _writer(run: ScoringRun) -> str:
    return f"score:{run.run}"


def _commit(work: Work, run: ScoringRun, answering: Answering, number: int, scored: Scored) -> None:
    frame, unfit = predictions_frame(scored.blocks, work.workspace, answering.product)
    # Nobody waited for these answers.
    frame = frame.with_columns(pl.lit(None, dtype=pl.Float64).alias("latency_ms"))
    table = table_name(work.product, "predictions")
    new = work.workspace.tables.append(table, frame, writer=_writer(run), version=number)
    if new and unfit:
        tell_unfit(work.workspace, work.product, Counter(unfit), lease=None)


def _ended(work: Work, run: ScoringRun, answering: Answering) -> ScoringRun:
    if changes := list(_changed_files(run.inputs, work.inputs.files())):
        raise Conflict(f"{run.output}: {'; '.join(changes)} while it was scored; {_ANEW}")
    if not run.chunks:
        work.output.put(0, answering.empty(), [])
    run = msgspec.structs.replace(
        run, chunks=max(1, run.chunks), state=DONE, finished_at=work.workspace.clock.now()
    )
    work.output.finish(run.chunks)
    counts = {"rows": run.rows, "answered": run.answered, "refused": run.refused, "fallbacks": run.fallbacks}
    _store(work, run, "scoring finished", counts)
    work.output.tidy()
    return run


def _store(work: Work, run: ScoringRun, kind: str, body: dict[str, Any]) -> None:
    with work.workspace.metadata.begin() as transaction:
        transaction.put(run)
        transaction.log(product=run.product, kind=kind, subject=run.run, body=body)
