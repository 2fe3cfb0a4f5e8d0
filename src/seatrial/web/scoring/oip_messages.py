"""The JSON of the Open Inference Protocol's infer requests."""

from typing import Any

import msgspec

from seatrial.web.scoring.refusals import malformed

Parameters = dict[str, str | int | float | bool]


class Tensor(msgspec.Struct, frozen=True):
    """A tensor of a request; `data` is unset when its bytes follow the JSON."""

    name: str
    shape: list[int]
    datatype: str
    parameters: Parameters = {}
    data: list[Any] | msgspec.UnsetType = msgspec.UNSET

    @property
    def binary_size(self) -> int | None:
        """How many bytes it has behind the JSON; None when its data are in the JSON. Raises Refusal (400)."""
        size = self.parameters.get("binary_data_size")
        if size is None:
            return None
        if isinstance(size, bool) or not isinstance(size, int) or size < 0:
            raise malformed(f"input {self.name}: expected a binary_data_size of at least 0, got {size!r}")
        return size


class WantedOutput(msgspec.Struct, frozen=True):
    """An output that a request asks for."""

    name: str
    parameters: Parameters = {}


class InferBody(msgspec.Struct, frozen=True):
    """An infer request. Members that the protocol does not name are ignored, as its other servers do."""

    inputs: list[Tensor]
    id: str | None = None
    parameters: Parameters = {}
    outputs: list[WantedOutput] | None = None

    @property
    def timeout_seconds(self) -> float | None:
        """The deadline, which it gives in microseconds; None for none or 0. Raises Refusal (400)."""
        given = self.parameters.get("timeout", 0)
        if isinstance(given, bool) or not isinstance(given, int) or given < 0:
            raise malformed(f"expected the parameter timeout in whole microseconds, got {given!r}")
        return given / 1_000_000 if given else None

    @property
    def idempotency_key(self) -> str | None:
        """The parameter of that name. Raises Refusal (400) when it is no text."""
        given = self.parameters.get("idempotency_key")
        if given is not None and not isinstance(given, str):
            raise malformed(f"expected the parameter idempotency_key to be a text, got {given!r}")
        return given

    def is_binary(self, wanted: WantedOutput | None) -> bool:
        """Whether an output goes behind the JSON: as it says itself, else as the request says."""
        everywhere = self.parameters.get("binary_data_output", False)
        said = everywhere if wanted is None else wanted.parameters.get("binary_data", everywhere)
        if not isinstance(said, bool):
            raise malformed(f"expected binary_data and binary_data_output to be true or false, got {said!r}")
        return said


_decoder = msgspec.json.Decoder(InferBody)


def infer_body(text: bytes) -> InferBody:
    """The request in a JSON text. Raises Refusal (400)."""
    try:
        return _decoder.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise malformed(str(error)) from error


def split(body: bytes, header: str | None) -> tuple[bytes, bytes]:
    """JSON and what follows it, by the header inference-header-content-length. Raises Refusal (400)."""
    if header is None:
        return body, b""
    text = header.strip()
    if not (text.isascii() and text.isdecimal()) or len(text) > 12 or int(text) > len(body):
        raise malformed(
            f"expected inference-header-content-length to be from 0 to the body's {len(body)} bytes, got {text[:40]}"
        )
    return body[: int(text)], body[int(text) :]
