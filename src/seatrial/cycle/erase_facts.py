"""What facts say in words of a value: results of rules that quote what they could not compute."""

from collections.abc import Iterable

import msgspec

from seatrial.data.sought import Sought
from seatrial.facts.load import Load
from seatrial.facts.snapshot import RuleResult, Snapshot
from seatrial.ports.metadata import Transaction

FORGOTTEN = "what it said held a value that was erased"


def quoting(transaction: Transaction, sought: Sought) -> list[Load | Snapshot]:
    """The loads and snapshots whose results of rules quote the value."""
    name = sought.product.name
    facts: list[Load | Snapshot] = [*transaction.all(Load, name), *transaction.all(Snapshot, name)]
    return [fact for fact in facts if any(sought.in_words(one.detail) for one in _results(fact))]


def erase_from_facts(transaction: Transaction, sought: Sought) -> None:
    """Take the words that quote the value out of loads and snapshots; the counts stay."""
    for fact in quoting(transaction, sought):
        left = msgspec.structs.replace(fact, rules=_without(fact.rules, sought))
        if isinstance(left, Load):
            left = msgspec.structs.replace(left, all_rules=_without(left.all_rules, sought))
        transaction.put(left)


def _results(fact: Load | Snapshot) -> tuple[RuleResult, ...]:
    return (*fact.rules, *fact.all_rules) if isinstance(fact, Load) else fact.rules


def _without(results: Iterable[RuleResult], sought: Sought) -> tuple[RuleResult, ...]:
    return tuple(
        msgspec.structs.replace(one, detail=FORGOTTEN) if sought.in_words(one.detail) else one
        for one in results
    )
