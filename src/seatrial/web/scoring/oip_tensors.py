"""Tensors of the Open Inference Protocol as rows of a product, and its answers as tensors."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from seatrial.contract.masking import masked_faults
from seatrial.contract.wording import TYPE_WORDS
from seatrial.errors import RequestInvalid
from seatrial.serve.loaded import LoadedRelease
from seatrial.serve.request import Fault
from seatrial.web.scoring.oip_binary import BYTES, Garbled, counted, cut
from seatrial.web.scoring.oip_elements import (
    ACCEPTED,
    NUMBERS,
    SHOWN,
    Wrong,
    declared,
    elements_of,
    fitted,
    shown,
)
from seatrial.web.scoring.oip_messages import Tensor
from seatrial.web.scoring.refusals import malformed, too_many

FEATURES = "features"


class TensorReader:
    """Reads the tensors of one release's requests: one per column, of shape [n] or [n, 1].

    A wide tensor `features` of shape [n, k] stands for the k columns in `numbers`: the model's inputs that are
    numbers and come with the request, in the contract's order. There is none where a column has that name.
    """

    def __init__(self, live: LoadedRelease) -> None:
        table, names = live.product.request, live.product.request_columns
        self._table, self._decoder = table, live.decoder
        self._columns = {column.name: column for column in table.columns if column.name in names}
        features = {feature.name for feature in live.product.features}
        self.numbers = tuple(
            name
            for name, column in self._columns.items()
            if column.type in ("float", "int") and name in features and FEATURES not in self._columns
        )

    @property
    def inputs(self) -> list[dict[str, object]]:
        """The inputs as the protocol's metadata name them: one per column, of shape [-1, 1]."""
        return [
            {
                "name": name,
                "datatype": declared(column),
                "shape": [-1, 1],
                "parameters": {"type": column.type, "required": column.required},
            }
            for name, column in self._columns.items()
        ]

    def raw(self, body: bytes) -> Tensor:
        """The only tensor of a request without JSON: that of the one column which must be there.

        Raises Refusal (400) where there is no such column, or the bytes are no whole number of elements.
        """
        required = [column for column in self._columns.values() if column.required]
        if len(required) != 1:
            names = ", ".join(column.name for column in required) or "none"
            raise malformed(f"raw bytes are for products with one required column; here they are {names}")
        datatype = declared(required[0])
        try:
            count = counted(body, datatype)
        except Garbled as error:
            raise malformed(f"input {required[0].name}: expected {error}") from error
        size: dict[str, str | int | float | bool] = {"binary_data_size": len(body)}
        return Tensor(required[0].name, [count], datatype, size)

    def rows(self, tensors: Sequence[Tensor], tail: bytes, *, limit: int) -> list[dict[str, Any]]:
        """The rows, with Python values for the contract's decoder.

        Raises RequestInvalid with every faulty input, including those of readable ones that break the contract;
        Refusal 413 for more than `limit` rows, 400 when the bytes cannot be told apart.
        """
        most = 2 * len(self._columns) + 1
        if len(tensors) > most:
            raise malformed(f"expected at most {most} inputs, got {len(tensors)}")
        parts = _parts(tensors, tail)
        count = self._count(tensors, limit)
        faults: list[Fault] = []
        found: dict[str, list[Any]] = {}
        for tensor, part in zip(tensors, parts, strict=True):
            try:
                columns = self._read(tensor, part, count, found)
            except Wrong as wrong:
                faults.append(_fault(None, tensor.name, wrong))
            else:
                found |= columns
                faults += self._wrong(columns)
        faults += self._missing(found, faults)
        rows = [dict(zip(found, values, strict=True)) for values in zip(*found.values(), strict=True)]
        if faults:
            raise RequestInvalid([*faults, *self._further(rows, faults)])
        return rows

    def _wrong(self, columns: Mapping[str, list[Any]]) -> list[Fault]:
        """The values that could not be read; none of a column that the contract classifies is shown."""
        wrong = [
            _fault(row, name, one)
            for name, values in columns.items()
            for row, one in enumerate(values)
            if isinstance(one, Wrong)
        ]
        return masked_faults(self._table, wrong)

    def _count(self, tensors: Sequence[Tensor], limit: int) -> int | None:
        """How many rows there are, by the first tensor whose shape can be right."""
        count = next(
            (one.shape[0] for one in tensors if one.shape and one.shape[0] >= 0 and self._fits(one)), None
        )
        if count is not None and count > limit:
            raise too_many(count, limit)
        return count

    def _fits(self, tensor: Tensor) -> bool:
        if tensor.name in self._columns:
            return len(tensor.shape) == 1 or tensor.shape[1:] == [1]
        return tensor.name == FEATURES and bool(self.numbers) and tensor.shape[1:] == [len(self.numbers)]

    def _read(
        self, tensor: Tensor, part: memoryview | None, count: int | None, found: Mapping[str, object]
    ) -> dict[str, list[Any]]:
        """Columns with their values; a value that cannot be read is a Wrong."""
        names = self._names(tensor)
        if again := [name for name in names if name in found]:
            raise Wrong("each column once", f"{', '.join(again)} again")
        if count is None or not self._fits(tensor) or tensor.shape[0] != count:
            shape = "[n] or [n, 1]" if tensor.name in self._columns else f"[n, {len(names)}]"
            rows = "" if count is None else f" with n = {count} as in the other inputs"
            raise Wrong(f"shape {shape}{rows}", f"shape {shown(tensor.shape)}")
        wide = tensor.name not in self._columns
        accepted = NUMBERS if wide else ACCEPTED.get(self._columns[names[0]].type, (BYTES,))
        if tensor.datatype not in accepted:
            raise Wrong(f"datatype {' or '.join(accepted)}", shown(tensor.datatype))
        values = elements_of(tensor, part, count * len(names))
        return {
            name: [fitted(self._columns[name], one, wide=wide) for one in values[place :: len(names)]]
            for place, name in enumerate(names)
        }

    def _names(self, tensor: Tensor) -> tuple[str, ...]:
        if tensor.name in self._columns:
            return (tensor.name,)
        if tensor.name == FEATURES and self.numbers:
            return self.numbers
        near = get_close_matches(tensor.name[:SHOWN], self._columns, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(self._columns)}"
        raise Wrong(f"no such input; {hint}", f"an input {shown(tensor.name)}")

    def _missing(self, found: Mapping[str, object], faults: Sequence[Fault]) -> list[Fault]:
        told = {fault["field"] for fault in faults}
        told |= set(self.numbers) if FEATURES in told else set()
        missing = [
            _fault(
                None,
                name,
                Wrong(f"an input of {declared(column)}, {TYPE_WORDS[column.type]}", "none"),
            )
            for name, column in self._columns.items()
            if column.required and name not in found and name not in told
        ]
        if not (found or told or missing):
            missing = [_fault(None, "inputs", Wrong("at least one input", "none"))]
        return missing

    def _further(self, rows: Sequence[Mapping[str, Any]], faults: Sequence[Fault]) -> list[Fault]:
        """What the contract has against the inputs that could be read."""
        told = {fault["field"] for fault in faults} | {
            name for name in self._columns if rows and name not in rows[0]
        }
        _, more = self._decoder.partial(rows)
        return [fault for fault in more if fault["field"] not in told]


def _parts(tensors: Sequence[Tensor], tail: bytes) -> list[memoryview | None]:
    """For each tensor its bytes, or None when its data are in the JSON."""
    sizes = [tensor.binary_size for tensor in tensors]
    try:
        parts = iter(cut(tail, [size for size in sizes if size is not None]))
    except Garbled as error:
        raise malformed(f"expected {error}") from error
    return [None if size is None else next(parts) for size in sizes]


def _fault(row: int | None, field: str, wrong: Wrong) -> Fault:
    return {"row": row, "field": field, "expected": wrong.expected, "received": wrong.received}
