"""A harbour with a past: sources landed, a snapshot, a model, a release, answers and money, from which one must go."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from seatrial.contract.types import polars_schema
from seatrial.cycle.drain import drain
from seatrial.cycle.publish import publish
from seatrial.cycle.tools import SourceHistory
from seatrial.data.snapshot import save_snapshot
from seatrial.facts.action import Action
from seatrial.facts.model import Model
from seatrial.facts.prediction import Outcome, Prediction, PredictionBlock, Variant
from seatrial.facts.records import ACTIONS, OUTCOMES, PREDICTIONS, encode_record, microseconds
from seatrial.facts.release import Release
from seatrial.facts.snapshot import Snapshot
from seatrial.facts.tables import STORED_LEDGER, table_name
from seatrial.ports.journal import JournalWriter
from seatrial.ports.workspace import Workspace
from seatrial.product.lookup_files import to_bytes
from seatrial.product.product import Product
from tests.fakes.sources import MemorySources
from tests.harbour import PRODUCT_FILE, START, TABLES, call, frame, harbour_product, tide
from tests.hotel import hotel_release
from tests.ledger_streams import model

GONE, STAYS = "call-0002", "call-0001"
SHIP = "Bounty"
CALLS = 6
BROKEN = "call-0099"
WHOSE = {1: "Argo", 2: SHIP, 3: "Argo", 4: SHIP, 5: "Calypso", 6: "Calypso"}


def product(more: str = "") -> Product:
    """The harbour, of which one call in two may break its contract."""
    return harbour_product(PRODUCT_FILE + more)


def calls() -> pl.DataFrame:
    """Six calls, and two that break the contract: one of the ship, one of no crew under a key of its own."""
    rows = [_call(number, WHOSE[number]) for number in range(1, CALLS + 1)]
    return frame("calls", [*rows, _call(98, SHIP, crew=0), _call(99, "Argo", crew=-1)])


def _call(number: int, ship: str, **changes: Any) -> dict[str, Any]:
    return call(number, float(number), call=f"call-{number:04d}", ship=ship, **changes)


def sources(calls_: pl.DataFrame | None = None) -> MemorySources:
    """What the sources deliver."""
    ships = [{"ship": name, "length": 10.0 + place} for place, name in enumerate(("Argo", SHIP, "Calypso"))]
    return MemorySources(
        {
            "calls": calls() if calls_ is None else calls_,
            "tides": frame("tides", [tide(-5, 3.0), tide(2, 4.0)]),
            "ships": frame("ships", ships),
        }
    )


def lived(workspace: Workspace, journal: JournalWriter, of: Product) -> None:
    """Everything that a product leaves behind: in all tables, artifacts, facts, and the journal, aside and pending."""
    history = SourceHistory(make_reader=sources, workspace=workspace).read(of)
    now = workspace.clock.now()
    for rows, name in ((history.examples.head(3), "m1"), (history.examples, "m2")):
        snapshot = save_snapshot(of, rows, history.tables, workspace, as_of=now, at=now)
        _put(workspace, snapshot, _model(snapshot, name))
    old = publish(workspace, of, history.lookups, at=now, whole=True)
    fewer = {**history.lookups, "ships": history.lookups["ships"].head(2)}
    publish(workspace, of, fewer, at=now)
    publish(workspace, of, history.lookups, at=now)
    _put(workspace, _release(workspace, of, {name: one.base for name, one in old.lookups.items()}))
    # A table of a publication that nothing names any more.
    workspace.artifacts.put(to_bytes(history.lookups["ships"].tail(2)))
    _answer(journal, range(1, 5))
    drain(workspace, of)
    _book(workspace, of)
    _set_aside(workspace, journal)
    _answer(journal, range(5, CALLS + 1))
    _answer(journal, range(2, 3), id="late")


def _put(workspace: Workspace, *facts: msgspec.Struct) -> None:
    with workspace.metadata.begin() as transaction:
        for fact in facts:
            transaction.put(fact)


def _model(snapshot: Snapshot, name: str) -> Model:
    made = model(loss=0.1, value=1.0)
    return msgspec.structs.replace(
        made, id=name, product=snapshot.product, snapshot=snapshot.id, artifact="", reference=""
    )


def _release(workspace: Workspace, of: Product, lookups: dict[str, str]) -> Release:
    release = hotel_release("r0001")
    product_file, contract = (workspace.artifacts.put(text.encode()) for text in of.texts)
    bundle = msgspec.structs.replace(
        release.bundle,
        product=of.name,
        model="m2",
        lookups=lookups,
        product_file=product_file,
        contract=contract,
    )
    return msgspec.structs.replace(release, product=of.name, bundle=bundle)


def _answer(journal: JournalWriter, numbers: range, id: str = "p") -> None:
    journal.append(PREDICTIONS, [encode_record(_block(numbers, id))])
    journal.append(OUTCOMES, [encode_record(_outcome(number, id)) for number in numbers])
    journal.append(ACTIONS, [encode_record(_action(number, id)) for number in numbers])
    journal.seal()


def _block(numbers: range, id: str) -> PredictionBlock:
    """Predictions as they are journaled: of one release, by column."""
    ones = [_prediction(number, id) for number in numbers]
    columns: dict[str, Any] = {
        name: [getattr(one, name) for one in ones] for name in msgspec.structs.asdict(ones[0])
    }
    columns |= {name: columns[name][0] for name in ("product", "release", "model_digest", "contract_version")}
    columns |= {name: [*map(microseconds, columns[name])] for name in columns if name.endswith("_at")}
    features = {name: [one.features[name] for one in ones] for name in ones[0].features}
    return PredictionBlock(**{**columns, "unit": None, "features": features})


def _prediction(number: int, id: str) -> Prediction:
    """A prediction as version 0.1.0 journaled it."""
    made_at = START + timedelta(hours=number)
    return Prediction(
        prediction_id=f"{id}{number}",
        idempotency_key=None,
        unit=f"call-{number:04d}",
        assigned=Variant.LIVE,
        served=Variant.LIVE,
        product="harbour",
        release="r0001",
        model_digest="m2",
        key=f"call-{number:04d}",
        made_at=made_at,
        received_at=made_at,
        matured_at=made_at + timedelta(days=2),
        features={
            "quay": "north",
            "basin": 1,
            "ship": WHOSE[number],
            "crew": 10 + number,
            "depth": 3.0,
            "length": 10.0,
            "room": 1.0,
        },
        score=0.5,
        decision=True,
        baseline=False,
        propensity=1.0,
        fallback=None,
        latency_ms=1.0,
        contract_version="1.0.0",
    )


def _outcome(number: int, id: str) -> Outcome:
    """Reported by key for even calls, by prediction id for odd ones."""
    known_at = START + timedelta(days=1, hours=number)
    return Outcome(
        prediction_id=f"{id}{number}" if number % 2 else None,
        key=None if number % 2 else f"call-{number:04d}",
        values={"late": True, "hours_late": 1.0},
        known_at=known_at,
        received_at=known_at,
    )


def _action(number: int, id: str) -> Action:
    """Reported by key for even calls, by prediction id for odd ones."""
    at = START + timedelta(hours=2 + number)
    return Action(
        prediction_id=f"{id}{number}" if number % 2 else None,
        key=None if number % 2 else f"call-{number:04d}",
        done=True,
        by="the pilot",
        at=at,
        received_at=at,
    )


def _book(workspace: Workspace, of: Product) -> None:
    answers = workspace.tables.read(table_name(of.name, "predictions"))
    schema = polars_schema(STORED_LEDGER)
    rows = answers.select(
        pl.col(name).cast(dtype) if name in answers.columns else pl.lit(None, dtype).alias(name)
        for name, dtype in schema.items()
    ).with_columns(value=pl.lit(1.5), batch=pl.lit(1, pl.Int64), settled_at=pl.col("matured_at"))
    workspace.tables.append(table_name(of.name, "ledger"), rows.select(*schema), writer="settle", version=1)


def _set_aside(workspace: Workspace, journal: JournalWriter) -> None:
    torn = f"no prediction, but {GONE} of {SHIP}".encode()
    single = [encode_record(_prediction(number, "aside")) for number in (2, 3)]
    journal.append(PREDICTIONS, [*single, encode_record(_block(range(2, 5), "aside")), torn])
    journal.seal()
    for segment in workspace.journal.sealed():
        workspace.journal.aside(segment, "a record does not decode")


def traces(folder: Path, gone: str) -> list[str]:
    """Every file below a folder that holds the text, raw or in the decoded values of a Parquet file."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [str(path.relative_to(folder)) for path in files if _holds(path, gone)]


def _holds(path: Path, gone: str) -> bool:
    body = path.read_bytes()
    if gone.encode() in body:
        return True
    return body.startswith(b"PAR1") and gone in str(pl.read_parquet(body).to_dicts())


__all__ = ["TABLES", "lived", "product", "sources", "traces"]
