from datetime import timedelta

import msgspec
import polars as pl
import pytest

from seatrial.contract.types import polars_schema
from seatrial.data.read import SourceTables
from seatrial.data.snapshot import save_snapshot
from seatrial.errors import IntegrityBroken
from seatrial.facts.readiness import Readiness
from seatrial.facts.tables import LEDGER, PREDICTIONS, examples_table, table_name
from seatrial.ports.workspace import Workspace
from seatrial.readiness.evidence import gather
from seatrial.readiness.run import assess
from tests import launched
from tests.fakes.clock import MemoryClock
from tests.fakes.workspace import memory_workspace


@pytest.fixture
def workspace() -> Workspace:
    """A workspace in which the product has been live; its last snapshot's rows are stored."""
    made = memory_workspace(MemoryClock(launched.NOW))
    launched.fill(made.metadata, [stored_snapshot(made)])
    return made


def stored_snapshot(workspace: Workspace) -> msgspec.Struct:
    known = launched.snapshot()
    tables = SourceTables(frames={}, reads=known.sources, rules=known.rules)
    frame = launched.sample()
    return save_snapshot(launched.product(), frame, tables, workspace, as_of=None, at=launched.NOW)


def predictions(rows: int, **columns: object) -> pl.DataFrame:
    frame = launched.logged(rows)
    fixed = {
        "product": launched.NAME,
        "served": "live",
        "contract_version": "1.2.0",
        "score": 0.4,
        "fallback": None,
        "received_at": launched.NOW - timedelta(hours=1),
        "model_digest": launched.model(3).id,
        "label": True,
        "settled_at": launched.NOW,
        **columns,
    }
    schema = polars_schema((*PREDICTIONS, *LEDGER))
    filled = [pl.lit(value).cast(schema[name]).alias(name) for name, value in fixed.items()]
    return frame.with_columns(*filled, pl.col("key").alias("prediction_id"))


def test_a_run_stores_its_result_and_writes_the_logbook(workspace: Workspace) -> None:
    readiness = assess(workspace, launched.product())
    with workspace.metadata.begin() as transaction:
        assert transaction.all(Readiness, launched.NAME) == [readiness]
        entry = transaction.logbook(launched.NAME)[-1]
    assert (entry.kind, entry.subject) == ("readiness run", readiness.id)
    assert entry.body["score"] == readiness.score
    assert readiness.at == launched.NOW


def test_gathering_counts_answers_and_leaves_shadows_and_other_products_out(workspace: Workspace) -> None:
    mine, shadow, other = (
        predictions(8),
        predictions(5, served="shadow"),
        predictions(3, product="parcels", model_digest="sha256:other"),
    )
    odd = predictions(2, score=float("nan"))
    fallback = predictions(1, score=None, fallback="timeout")
    for version, frame in enumerate((mine, shadow, other, odd, fallback)):
        workspace.tables.append(table_name(launched.NAME, "predictions"), frame, writer="w", version=version)
        workspace.tables.append(table_name(launched.NAME, "ledger"), frame, writer="w", version=version)
    evidence = gather(workspace, launched.product())
    assert evidence.served.by_contract == {"1.2.0": 11}
    assert (evidence.served.fallbacks, evidence.served.impossible_scores) == (1, 2)
    assert evidence.logged.height == 8
    assert (evidence.booked.rows, evidence.booked.labelled) == (8, 8)
    assert evidence.booked.last_at == launched.NOW


def test_features_logged_by_serving_are_compared_with_the_snapshot(workspace: Workspace) -> None:
    workspace.tables.append(table_name(launched.NAME, "predictions"), predictions(8), writer="w", version=0)
    results = {result.id: result for result in assess(workspace, launched.product()).results}
    assert results["O3"].score == 1
    assert results["O3"].evidence.startswith("32 of 32 feature values agree on 8 rows")


def test_a_snapshot_whose_rows_changed_stops_the_run(workspace: Workspace) -> None:
    table = examples_table(launched.NAME)
    workspace.tables.rewrite(table, lambda rows: rows.with_columns(distance=pl.lit(1.0)))
    with pytest.raises(IntegrityBroken):
        assess(workspace, launched.product())
    with workspace.metadata.begin() as transaction:
        assert transaction.all(Readiness, launched.NAME) == []
