"""Elements of one tensor as Python values, checked against its datatype, its shape, and what it says of itself."""

import base64
import binascii
import math
from typing import Any

import msgspec

from seatrial.contract.model import ColumnContract
from seatrial.web.scoring.json_cells import json_cell
from seatrial.web.scoring.oip_binary import BYTES, Garbled, read_elements
from seatrial.web.scoring.oip_messages import Tensor

SHOWN = 80
_WHOLE = {
    **{f"INT{bits}": (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (8, 16, 32, 64)},
    **{f"UINT{bits}": (0, 2**bits - 1) for bits in (8, 16, 32, 64)},
}
_FLOATS = ("FP64", "FP32", "FP16", "BF16")
# What MLServer's clients say about their tensors; all but base64 is how they are read anyway.
_CONTENT_TYPES = ("np", "pd", "str", "datetime", "base64")
_DECLARED = {"float": "FP64", "int": "INT64", "bool": "BOOL"}
NUMBERS = (*_FLOATS, *_WHOLE)
ACCEPTED: dict[str, tuple[str, ...]] = {
    "float": NUMBERS,
    "int": tuple(_WHOLE),
    "bool": ("BOOL",),
}


def declared(column: ColumnContract) -> str:
    """The datatype that a column's tensor has in the metadata."""
    return _DECLARED.get(column.type, BYTES)


class Wrong(ValueError):
    """A tensor that cannot be read: what was expected and what came."""

    def __init__(self, expected: str, received: object) -> None:
        self.expected, self.received = expected, str(received)
        super().__init__(expected)


def elements_of(tensor: Tensor, part: memoryview | None, count: int) -> list[Any]:
    """The elements, row after row; one that cannot be read is a Wrong. Raises Wrong for the tensor as a whole."""
    kind = tensor.parameters.get("content_type", "np")
    if kind not in _CONTENT_TYPES:
        raise Wrong(f"content_type {', '.join(_CONTENT_TYPES)}", shown(kind))
    if "shared_memory_region" in tensor.parameters:
        raise Wrong("data in the request", "a region of shared memory, which is not offered here")
    if (part is None) == (tensor.data is msgspec.UNSET):
        raise Wrong("either data or a binary_data_size", "neither" if part is None else "both")
    if part is None:
        values = [_checked(tensor.datatype, one) for one in _flat(tensor, count)]
    else:
        try:
            values = read_elements(tensor.datatype, part, count)
        except Garbled as error:
            raise Wrong(str(error), f"{len(part)} bytes") from error
    return [_text(one, is_base64=kind == "base64") for one in values] if tensor.datatype == BYTES else values


def _flat(tensor: Tensor, count: int) -> list[Any]:
    """The data row after row; nested data must have the tensor's shape."""
    data: Any = tensor.data
    nested = [isinstance(one, list) for one in data]
    if any(nested):
        widths = {len(one) if is_list else -1 for one, is_list in zip(data, nested, strict=True)}
        if len(tensor.shape) != 2 or widths != {tensor.shape[1]} or len(data) != tensor.shape[0]:
            raise Wrong(f"data of shape {tensor.shape}, nested or flat", "lists of another shape")
        return [one for inner in data for one in inner]
    if len(data) != count:
        raise Wrong(f"{count} elements for shape {tensor.shape}", f"{len(data)} elements")
    return list(data)


def _checked(datatype: str, value: Any) -> Any:
    """The value if JSON says one of the datatype, or null; else a Wrong."""
    if value is None:
        return None
    if datatype == BYTES:
        fits = isinstance(value, str)
    elif datatype == "BOOL":
        fits = isinstance(value, bool)
    elif isinstance(value, bool) or not isinstance(value, int if datatype in _WHOLE else (int, float)):
        fits = False
    else:
        low, high = _WHOLE.get(datatype, (-math.inf, math.inf))
        fits = low <= value <= high
    return value if fits else Wrong(f"a value of {datatype}", shown(value))


def _text(value: Any, *, is_base64: bool) -> Any:
    if value is None or isinstance(value, Wrong):
        return value
    try:
        if is_base64:
            value = base64.b64decode(value, validate=True)
        return value.decode() if isinstance(value, bytes) else value
    except (binascii.Error, ValueError):
        return Wrong("text in base64 of UTF-8" if is_base64 else "text in UTF-8", shown(value))


def fitted(column: ColumnContract, value: Any, *, wide: bool) -> Any:
    """The value as the contract's decoder takes it: no number is null where null is allowed; JSON text is read.

    In a wide tensor all columns have one datatype, so that whole numbers may come as floats.
    """
    if isinstance(value, float):
        if math.isnan(value) and not column.required:
            return None
        return int(value) if wide and column.type == "int" and value.is_integer() else value
    return json_cell(column, value)


def shown(value: object) -> str:
    """What was received, cut where it is long."""
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
