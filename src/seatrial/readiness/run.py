"""A readiness run: evidence gathered, tests executed, the result stored and logged."""

from seatrial.facts.readiness import Readiness
from seatrial.ports.workspace import Workspace
from seatrial.product.product import Product
from seatrial.readiness.evidence import gather
from seatrial.readiness.score import run_readiness


def assess(workspace: Workspace, product: Product) -> Readiness:
    """The product's readiness now, stored as a fact together with its logbook entry.

    Raises IntegrityBroken when the last snapshot's bytes do not match their digest.
    """
    readiness = run_readiness(gather(workspace, product))
    with workspace.metadata.begin() as transaction:
        transaction.put(readiness)
        transaction.log(
            product=product.name,
            kind="readiness run",
            subject=readiness.id,
            body={"score": readiness.score, "band": readiness.band, "sections": readiness.sections},
        )
    return readiness
