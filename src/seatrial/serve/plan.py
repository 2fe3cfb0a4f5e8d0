"""What one product computes of a row, as plain functions over columns, where all of it can be said so."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seatrial.contract.plain import PlainFunction
from seatrial.product.product import Product

Columns = Mapping[str, Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Plan:
    """The product's expressions as plain functions."""

    derive: tuple[tuple[str, PlainFunction], ...]
    matured_at: PlainFunction
    baseline: PlainFunction
    decision: PlainFunction


def plan(product: Product) -> Plan | None:
    """The plan of a product with an objective; None when one of its expressions has no plain function."""
    derive = tuple((name, expression.plain) for name, expression in product.derive.items())
    objective = product.objective
    matured_at, baseline, decision = (
        expression.plain for expression in (product.matured_at, objective.baseline, objective.decision)
    )
    if matured_at is None or baseline is None or decision is None:
        return None
    known = tuple((name, function) for name, function in derive if function is not None)
    return Plan(known, matured_at, baseline, decision) if len(known) == len(derive) else None
