"""What the books of a product say, read from the workspace."""

import polars as pl

from seatrial.contract.types import polars_schema
from seatrial.facts.model import Model
from seatrial.facts.release import Release
from seatrial.facts.statement import Statement
from seatrial.facts.tables import STORED_LEDGER, table_name
from seatrial.ports.workspace import Workspace
from seatrial.product.bundle import bundled_product
from seatrial.product.product import Product
from seatrial.release.phases import live_release
from seatrial.value.answered import answered
from seatrial.value.ledger import current
from seatrial.value.statement import statement


def ledger_of(workspace: Workspace, product: str) -> pl.DataFrame:
    """The ledger's standing rows: the last word on each prediction."""
    rows = workspace.tables.read(table_name(product, "ledger"))
    return current(rows) if rows.width else pl.DataFrame(schema=polars_schema(STORED_LEDGER))


def statement_of(workspace: Workspace, product: Product) -> Statement:
    """The statement over all that is booked, held against what each release's model promised."""
    with workspace.metadata.begin() as transaction:
        releases = transaction.all(Release, product.name)
        models = {model.id: model.promise for model in transaction.all(Model, product.name)}
    promises = {r.id: models[r.bundle.model] for r in releases if r.bundle.model in models}
    ledger = ledger_of(workspace, product.name)
    answers = workspace.tables.read(
        table_name(product.name, "predictions"),
        where=pl.col("assigned") != "shadow",
        columns=["prediction_id"],
    )
    # Of what is booked, predictions may be gone: erased, or older than they are kept.
    open_now = (
        answers.unique().join(answered(ledger), on="prediction_id", how="anti") if answers.width else answers
    )
    return statement(ledger, product, promises=promises, waiting=open_now.height)


def recorded_statement(workspace: Workspace, product: str) -> Statement | None:
    """The statement of a product as it was released, without its folder; None before it was ever live."""
    with workspace.metadata.begin() as transaction:
        live = live_release(transaction, product)
    return statement_of(workspace, bundled_product(live.bundle, workspace.artifacts)) if live else None
