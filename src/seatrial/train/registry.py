"""The registry of models: what was trained, in the order in which it was."""

import msgspec

from seatrial.facts.model import Model
from seatrial.ports.metadata import Transaction


def register(model: Model, transaction: Transaction) -> Model:
    """The model as registered; registering one a second time changes nothing and writes nothing."""
    known = transaction.get(Model, model.product, model.id)
    if known is not None:
        return known
    transaction.put(model)
    evidence = {
        "why": model.why,
        "snapshot": model.snapshot,
        "artifact": model.artifact,
        "card": model.card,
        "threshold": model.threshold,
        "training_rows": model.training_rows,
        "validation_rows": model.validation_rows,
        "parity": msgspec.to_builtins(model.parity),
        "promise": msgspec.to_builtins(model.promise),
        "comparisons": msgspec.to_builtins(model.comparisons),
    }
    transaction.log(product=model.product, kind="model registered", subject=model.id, body=evidence)
    return model


def models(transaction: Transaction, product: str) -> list[Model]:
    """All models of a product, the oldest first."""
    return transaction.all(Model, product)


def latest_model(transaction: Transaction, product: str) -> Model | None:
    """The model registered last, or None."""
    found = transaction.all(Model, product, limit=1)
    return found[-1] if found else None
