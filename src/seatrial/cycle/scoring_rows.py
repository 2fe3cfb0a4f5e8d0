"""Rows of files as requests say them: read as leniently as tables are, checked as strictly as requests are.

What only the storage differs in (whole numbers for floats, numbers as text) is read as the contract's type; a value
that cannot be is left as it is, so that the decoder names it.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
import polars as pl

from seatrial.contract.canonical import json_rows, row_json
from seatrial.contract.casting import Cast, cast_column
from seatrial.contract.model import TableContract
from seatrial.contract.types import polars_type
from seatrial.cycle.scoring_chunks import Chunk, Piece
from seatrial.errors import DataRefused
from seatrial.product.product import Product
from seatrial.serve.request import Fault

Row = dict[str, Any]


def refuse_other_columns(product: Product, place: str, schema: Mapping[str, Any]) -> None:
    """No-op for a file whose columns a request can be made of. Raises DataRefused with everything that is missing."""
    required = {column.name for column in product.request.columns if column.required}
    missing = [name for name in product.request_columns if name in required - set(schema)]
    problems = [f"no column {', '.join(missing)}; it has {', '.join(schema)}"] if missing else []
    for name, cast in _casts(product, schema):
        if isinstance(cast, str):
            problems.append(f"column {name}: {cast}")
    if problems:
        raise DataRefused(
            f"{place} does not fit what {product.name} asks of a request: {'; '.join(problems)}; nothing was scored"
        )


def request_rows(product: Product, chunk: Chunk) -> list[Row]:
    """The chunk's rows with the columns of a request, in order; columns that the file lacks are left out."""
    return [row for piece in chunk.pieces for row in _rows(product, piece.rows)]


def _rows(product: Product, frame: pl.DataFrame) -> Sequence[Row]:
    if not frame.height:
        return []
    raw = frame.rename({name: _stored(name) for name in frame.columns})
    casts = dict(_casts(product, frame.schema))
    whole = [name for name, cast in casts.items() if not isinstance(cast, str)]
    values = raw.select(_value(name, casts[name]) for name in casts)
    rows = json_rows(_read_well(product.request, whole), values)
    for name, cast in casts.items():
        for at in _unreadable(raw, cast):
            rows[at][name] = frame[name][at]
    return rows


def input_columns(product: Product, chunk: Chunk) -> pl.DataFrame:
    """The columns of a request as the contract types them, prefixed `input_`; null where a value cannot be read."""
    wanted = {name: polars_type(product.columns[name]) for name in product.request_columns}
    frames = [_typed(product, piece.rows, wanted) for piece in chunk.pieces if piece.rows.height]
    prefixed = {f"input_{name}": dtype for name, dtype in wanted.items()}
    return pl.concat(frames) if frames else pl.DataFrame(schema=prefixed)


def _typed(product: Product, frame: pl.DataFrame, wanted: Mapping[str, Any]) -> pl.DataFrame:
    raw = frame.rename({name: _stored(name) for name in frame.columns})
    casts = dict(_casts(product, frame.schema))

    def column(name: str, dtype: Any) -> pl.Expr:
        cast = casts.get(name)
        value = cast.value if isinstance(cast, Cast) else pl.lit(None)
        return value.cast(dtype).alias(f"input_{name}")

    return raw.select(column(name, dtype) for name, dtype in wanted.items())


def refusals(chunk: Chunk, faults: Sequence[Fault]) -> list[bytes]:
    """What was not answered, as JSON: rows with all their faults, and lines that are no rows."""
    by_row: dict[int, list[Fault]] = {}
    for fault in faults:
        by_row.setdefault(int(str(fault["row"])), []).append(fault)
    unreadable = [told for piece in chunk.pieces for told in _lines(piece)]
    return [*unreadable, *(_refusal(chunk, at, found) for at, found in sorted(by_row.items()))]


def places(chunk: Chunk) -> list[str]:
    """The file of each row."""
    return [piece.place for piece in chunk.pieces for _ in range(piece.rows.height)]


def _refusal(chunk: Chunk, at: int, faults: Sequence[Fault]) -> bytes:
    piece, place = _found(chunk, at)
    told = [{name: value for name, value in fault.items() if name != "row"} for fault in faults]
    data = msgspec.Raw(row_json(piece.rows.row(place, named=True)).encode())
    head = {"row": chunk.first_row + at, "file": piece.place, "file_row": piece.first + place}
    return msgspec.json.encode({**head, "faults": told, "data": data})


def _found(chunk: Chunk, at: int) -> tuple[Piece, int]:
    for piece in chunk.pieces:
        if at < piece.rows.height:
            return piece, at
        at -= piece.rows.height
    raise IndexError(f"chunk {chunk.number} has no row {at} more")


def _lines(piece: Piece) -> Iterator[bytes]:
    if piece.unreadable is None:
        return
    for line in piece.unreadable.to_dicts():
        fault = {"field": "", "expected": line["expected"], "received": line["received"]}
        data = msgspec.Raw(line["row"].encode())
        head = {"row": None, "file": piece.place, "line": line["line"]}
        yield msgspec.json.encode({**head, "faults": [fault], "data": data})


def _casts(product: Product, schema: Mapping[str, Any]) -> Iterator[tuple[str, Cast | str]]:
    for name in product.request_columns:
        column = product.request.column(name)
        if column is not None and name in schema:
            yield name, cast_column(_stored(name), column.type, schema[name])


def _value(name: str, cast: Cast | str) -> pl.Expr:
    return (pl.col(_stored(name)) if isinstance(cast, str) else cast.value).alias(name)


def _unreadable(raw: pl.DataFrame, cast: Cast | str) -> list[int]:
    if isinstance(cast, str) or cast.broken is None:
        return []
    return raw.select(cast.broken.fill_null(value=False)).to_series().arg_true().to_list()


def _read_well(table: TableContract, names: Sequence[str]) -> TableContract:
    """The table with only those columns: of the others, text is not yet the JSON that it may have to be."""
    return msgspec.structs.replace(table, columns=tuple(c for c in table.columns if c.name in names))


def _stored(name: str) -> str:
    return f"raw:{name}"
