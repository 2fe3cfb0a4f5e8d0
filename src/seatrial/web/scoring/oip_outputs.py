"""Answers as the outputs of the Open Inference Protocol, in JSON or behind it."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from seatrial.serve.request import Answered, Answers, Fault
from seatrial.web.scoring.call import JSON, Reply
from seatrial.web.scoring.oip_binary import BYTES, write_elements
from seatrial.web.scoring.oip_messages import InferBody, WantedOutput
from seatrial.web.scoring.refusals import faulty, malformed

_DATATYPES = {
    "score": "FP64",
    "decision": "BOOL",
    "prediction_id": BYTES,
    "release": BYTES,
    "fallback": BYTES,
}
_VALUES: dict[str, Callable[[Answered], Any]] = {
    "score": lambda one: one.score,
    "decision": lambda one: one.decision,
    "prediction_id": lambda one: one.prediction_id,
    "release": lambda one: one.release,
    "fallback": lambda one: one.fallback or "",
}
OUTPUTS: list[dict[str, object]] = [
    {"name": name, "datatype": datatype, "shape": [-1, 1]} for name, datatype in _DATATYPES.items()
]
_OCTETS = "application/octet-stream"
_encoder = msgspec.json.Encoder()


def wanted_outputs(body: InferBody) -> dict[str, bool]:
    """The names of the outputs in order, and whether each goes behind the JSON: all of them when none is asked for.

    Raises Refusal (400) with every one that is not there, or asked for in a way that is not offered.
    """
    wanted = body.outputs or []
    if len(wanted) > 2 * len(_DATATYPES):
        raise malformed(f"expected outputs among {', '.join(_DATATYPES)}, got {len(wanted)} of them")
    details: list[Fault] = [
        {"row": None, "field": one.name, "expected": expected, "received": received}
        for place, one in enumerate(wanted)
        for expected, received in _problems(one, wanted[:place])
    ]
    if details:
        raise faulty(details)
    if not wanted:
        return dict.fromkeys(_DATATYPES, body.is_binary(None))
    return {one.name: body.is_binary(one) for one in wanted}


def _problems(wanted: WantedOutput, before: Sequence[WantedOutput]) -> Iterator[tuple[str, str]]:
    if wanted.name not in _DATATYPES:
        yield f"one of {', '.join(_DATATYPES)}", "no such output"
    if any(one.name == wanted.name for one in before):
        yield "each output once", "it again"
    for parameter in ("classification", "shared_memory_region"):
        if parameter in wanted.parameters:
            yield "the output itself", f"{parameter}, which is not offered here"


def infer_reply(
    product: str,
    body: InferBody,
    wanted: dict[str, bool],
    answers: Answers,
    headers: tuple[tuple[str, str], ...] = (),
) -> Reply:
    """The answers; the prediction's id is among the parameters too when there is one row.

    A score that is missing is null in JSON, NaN in binary.
    """
    head: dict[str, object] = {"model_name": product, "model_version": answers.release}
    if body.id is not None:
        head["id"] = body.id
    if len(answers.predictions) == 1:
        head["parameters"] = {"prediction_id": answers.predictions[0].prediction_id}
    outputs, tail = _tensors(wanted, answers)
    text = _encoder.encode({**head, "outputs": outputs})
    if not any(wanted.values()):
        return Reply(200, text, JSON, headers)
    length = ("inference-header-content-length", str(len(text)))
    return Reply(200, b"".join([text, *tail]), _OCTETS, (length, *headers))


def _tensors(wanted: dict[str, bool], answers: Answers) -> tuple[list[dict[str, object]], list[bytes]]:
    outputs: list[dict[str, object]] = []
    tail: list[bytes] = []
    for name, is_binary in wanted.items():
        values = [_VALUES[name](one) for one in answers.predictions]
        tensor: dict[str, object] = {"name": name, "datatype": _DATATYPES[name], "shape": [len(values), 1]}
        if is_binary:
            tail.append(write_elements(_DATATYPES[name], values))
            tensor["parameters"] = {"binary_data_size": len(tail[-1])}
        else:
            tensor["data"] = values
        outputs.append(tensor)
    return outputs, tail
