"""The floors: the HTTP server of ours answering a constant, and the bare stack, which decodes, scores and answers.

The bare stack is granian's RSGI, a typed msgspec decoder and ONNX Runtime, one request at a time, and nothing else:
no contract, no key, no routing, no journal, no deadline, no counters.
"""

import os
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnxruntime

from benchmarks.serving_work import FEATURES

HEADERS = [("content-type", "application/json")]
CONSTANT = b'{"predictions":[{"score":0.5}]}'


def session(folder: Path) -> Any:
    """ONNX Runtime on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(folder / "model.onnx", options, providers=["CPUExecutionProvider"])


async def constant(_: Any, protocol: Any) -> None:
    """The same bytes for everybody, once the body is read."""
    await protocol()
    protocol.response_bytes(200, HEADERS, CONSTANT)


def stack() -> Any:
    """The RSGI application of the bare stack."""
    fields: list[tuple[str, type]] = [(name, float) for name in FEATURES]
    row = msgspec.defstruct("Row", [("key", str), ("made_at", datetime), *fields], forbid_unknown_fields=True)
    body = msgspec.defstruct("Body", [("rows", list[row])])  # type: ignore[valid-type]
    decode, encode = msgspec.json.Decoder(body).decode, msgspec.json.Encoder().encode
    as_tuple = msgspec.structs.astuple
    run = session(Path(os.environ["SERVING_MODEL"])).run

    async def answer(_: Any, protocol: Any) -> None:
        rows = decode(await protocol()).rows  # type: ignore[attr-defined]
        matrix = np.array([as_tuple(one)[2:] for one in rows], dtype=np.float32)
        scores = run(["probabilities"], {"x": matrix})[0][:, 1].tolist()
        protocol.response_bytes(200, HEADERS, encode({"predictions": [{"score": score} for score in scores]}))

    return answer
