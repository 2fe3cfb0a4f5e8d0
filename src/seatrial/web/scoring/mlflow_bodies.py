"""The JSON bodies of MLflow's scoring protocol as rows, columns by name."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec

from seatrial.web.scoring.refusals import faulty, malformed

Rows = list[dict[str, Any]]
_LLM = ("messages", "prompt", "input")


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What may stand in `params`."""

    partial: bool = False
    idempotency_key: str | None = None


class MlflowBody(msgspec.Struct, frozen=True):
    """Rows, and what to do with them."""

    rows: Rows
    params: Params = Params()


class _Split(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table as pandas writes it with orient="split"; the index says nothing that a row needs."""

    columns: list[str]
    data: list[list[Any]]
    index: list[Any] | None = None


def json_body(text: bytes) -> MlflowBody:
    """The rows of a JSON body in any of the four formats. Raises Refusal (400)."""
    try:
        body = msgspec.json.decode(text, type=dict[str, Any])
        params = msgspec.convert(body.pop("params", None), Params | None) or Params()
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise malformed(f"{error}; {_expected()}") from error
    if len(body) != 1 or not body.keys() <= _FORMATS.keys():
        raise malformed(f"{_expected()}, got {_named(body)}")
    name, value = body.popitem()
    try:
        return MlflowBody(_FORMATS[name](value), params)
    except msgspec.ValidationError as error:
        raise malformed(f"{name}: {error}") from error


def _expected() -> str:
    return f"expected an object with exactly one of {', '.join(_FORMATS)}, and perhaps params"


def _named(body: dict[str, Any]) -> str:
    if not body:
        return "none of them"
    hint = "; chats and prompts are not served here" if body.keys() & set(_LLM) else ""
    return f"{', '.join(sorted(body)[:20])}{hint}"


def _split(value: Any) -> Rows:
    table = msgspec.convert(value, _Split)
    unique(table.columns)
    return named_rows(table.columns, table.data)


def _records(value: Any) -> Rows:
    return msgspec.convert(value, Rows)


def _instances(value: Any) -> Rows:
    if isinstance(value, list) and not all(isinstance(row, dict) for row in value):
        raise malformed("instances: expected objects with one member per column, got lists or plain values")
    return msgspec.convert(value, Rows)


def _inputs(value: Any) -> Rows:
    if not isinstance(value, dict):
        raise malformed("inputs: expected an object with one list per column, got a tensor without names")
    columns = msgspec.convert(value, dict[str, list[Any]])
    lengths = {len(column) for column in columns.values()}
    if len(lengths) > 1:
        told = ", ".join(f"{name} {len(column)}" for name, column in columns.items())
        raise malformed(f"inputs: expected columns of one length, got {told}")
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


_FORMATS: dict[str, Callable[[Any], Rows]] = {
    "dataframe_split": _split,
    "dataframe_records": _records,
    "instances": _instances,
    "inputs": _inputs,
}


def unique(columns: list[str]) -> None:
    """Return if no two columns have one name. Raises Refusal (400) with those that have."""
    twice = sorted(name for name, times in Counter(columns).items() if times > 1)
    if twice:
        raise malformed(f"expected each column once, got {', '.join(twice[:20])} more than once")


def named_rows(columns: list[str], data: list[list[Any]]) -> Rows:
    """Rows of values with the columns' names. Raises Refusal (400) with every row that is too short or too long."""
    details: list[dict[str, object]] = [
        {"row": row, "field": "", "expected": f"{len(columns)} values", "received": f"{len(values)} values"}
        for row, values in enumerate(data)
        if len(values) != len(columns)
    ]
    if details:
        raise faulty(details)
    return [dict(zip(columns, values, strict=True)) for values in data]
