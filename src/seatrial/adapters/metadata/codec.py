"""Facts as JSON and back."""

from typing import Protocol, TypeVar, cast

import msgspec

from seatrial.errors import DataRefused, IntegrityBroken
from seatrial.facts.logbook import GENESIS, LogEntry, entry_hash

FactT = TypeVar("FactT", bound=msgspec.Struct)


class _Named(Protocol):
    """What every stored fact has."""

    id: str
    product: str


def kind_of(fact: type[msgspec.Struct]) -> str:
    """The name under which facts of a class are stored: the class's, in small letters."""
    return fact.__name__.lower()


def address(fact: msgspec.Struct) -> tuple[str, str, str]:
    """Kind, product and id of a fact. Raises DataRefused when it has no product or no id."""
    if not (hasattr(fact, "id") and hasattr(fact, "product")):
        raise DataRefused(
            f"{type(fact).__name__}: only facts with an id and a product can be stored; put it inside such a fact"
        )
    named = cast("_Named", fact)
    return kind_of(type(fact)), named.product, named.id


def encode(fact: msgspec.Struct) -> str:
    """The JSON of a fact. Raises DataRefused when it would not read back, as with a NaN in a plain float."""
    body = msgspec.json.encode(fact)
    try:
        msgspec.json.decode(body, type=type(fact))
    except msgspec.DecodeError as error:
        raise DataRefused(
            f"{' '.join(address(fact))}: it would not read back from the store: {error}; "
            "NaN and infinity are stored as null"
        ) from error
    return body.decode()


def decode(body: str, kind: type[FactT], name: str) -> FactT:
    """The fact in a JSON body. Raises IntegrityBroken when it does not hold one."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.DecodeError as error:
        raise IntegrityBroken(
            f"{kind.__name__} {name}: what is stored does not read as one: {error}; "
            "the store was changed from outside, or by another version of Seatrial"
        ) from error


def continued(last: LogEntry | None, entry: LogEntry) -> LogEntry:
    """The entry as it follows `last` in the chain, hashed over its body as that will be read back."""
    plain = msgspec.json.decode(msgspec.json.encode(entry.body, order="sorted"))
    placed = msgspec.structs.replace(
        entry,
        seq=1 if last is None else last.seq + 1,
        previous=GENESIS if last is None else last.hash,
        body=plain,
    )
    return msgspec.structs.replace(placed, hash=entry_hash(placed))
