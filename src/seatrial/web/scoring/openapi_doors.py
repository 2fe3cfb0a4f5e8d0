"""The doors of other protocols in a product's OpenAPI: Open Inference Protocol V2 and MLflow."""

import csv
from io import StringIO
from typing import Any

from seatrial.contract.canonical import canonical_json
from seatrial.contract.model import TableContract
from seatrial.web.scoring.oip_binary import BYTES, DATATYPES
from seatrial.web.scoring.oip_elements import declared
from seatrial.web.scoring.oip_outputs import OUTPUTS
from seatrial.web.scoring.openapi_answers import MANY, Schema, described, json_of, members, ref, responses

_NAMED: Schema = {"name": {"type": "string"}, "ready": {"type": "boolean"}}
_TEXTS: Schema = {"type": "array", "items": {"type": "string"}}


def door_paths(product: str, row: dict[str, Any] | None, table: TableContract) -> Schema:
    """The paths of both protocols."""
    model = f"/v2/models/{product}"
    return {
        "/v2": {"get": _shown("oip_server", "The server and the protocol's extensions", "OipServer")},
        "/v2/health/live": {"get": _open("oip_live", "Whether the process answers", "OipLive")},
        "/v2/health/ready": {"get": _open("oip_ready", "Whether every product can be asked", "OipReady")},
        "/v2/models": {"get": _shown("oip_models", "The products", "OipModels")},
        model: {"get": _shown("oip_model", "The product's tensors", "OipModel")},
        f"{model}/ready": {"get": _open("oip_model_ready", "Whether it can be asked", "OipModelReady")},
        f"{model}/infer": {"post": _infer(row, table)},
        "/v2/repository/index": {
            "post": {
                "operationId": "oip_index",
                "summary": "The products and their states",
                "requestBody": {"required": False, "content": json_of("OipIndexRequest")},
                "responses": responses(json_of("OipIndex"), "One line per product"),
            }
        },
        "/invocations": {"post": _invocations(row)},
        "/ping": {"get": _plain("ping", "Whether the product can be asked", "503")},
        "/version": {"get": _plain("version", "The version of Seatrial")},
    }


def _infer(row: dict[str, Any] | None, table: TableContract) -> Schema:
    example = {} if row is None else {"example": {"inputs": _tensors(row, table)}}
    octets = {"schema": {"contentMediaType": "application/octet-stream"}}
    return {
        "operationId": "oip_infer",
        "summary": "Predictions by the Open Inference Protocol",
        "description": "One tensor per column, of shape [n] or [n, 1]. With the header "
        "`Inference-Header-Content-Length`, tensors follow the JSON as bytes.",
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": ref("OipInferRequest"), **example},
                "application/octet-stream": octets,
            },
        },
        "responses": responses(
            {**json_of("OipInferAnswer"), "application/octet-stream": octets}, "The outputs"
        ),
    }


def _tensors(row: dict[str, Any], table: TableContract) -> list[Schema]:
    """A row as tensors; nulls are left out, what has no datatype is text."""
    columns = {column.name: column for column in table.columns}
    return [
        {
            "name": name,
            "shape": [1, 1],
            "datatype": declared(columns[name]),
            "data": [canonical_json(value) if isinstance(value, list | dict) else value],
        }
        for name, value in row.items()
        if value is not None
    ]


def _invocations(row: dict[str, Any] | None) -> Schema:
    example = {} if row is None else {"example": {"dataframe_records": [row]}}
    table = {} if row is None else {"example": _csv(row)}
    other: Schema = {
        "text/csv": {"schema": {"type": "string", "minLength": 1}, **table},
        "application/vnd.apache.parquet": {"schema": {"contentMediaType": "application/vnd.apache.parquet"}},
    }
    return {
        "operationId": "invocations",
        "summary": "Predictions by MLflow's scoring protocol",
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": ref("Invocation"), **example}, **other},
        },
        "responses": responses(json_of("InvocationAnswer"), "One record per row", error="MlflowError"),
    }


def _csv(row: dict[str, Any]) -> str:
    text = StringIO()
    cells = (canonical_json(value) if isinstance(value, list | dict) else value for value in row.values())
    csv.writer(text).writerows([row, cells])
    return text.getvalue()


def _shown(name: str, summary: str, schema: str) -> Schema:
    return {
        "operationId": name,
        "summary": summary,
        "responses": responses(json_of(schema), summary, reads_body=False),
    }


def _open(name: str, summary: str, schema: str) -> Schema:
    found = {"200": described(summary, json_of(schema)), "503": described("Not now", json_of(schema))}
    return {"operationId": name, "summary": summary, "security": [{}], "responses": found}


def _plain(name: str, summary: str, *statuses: str) -> Schema:
    content = {"text/plain": {"schema": {"type": "string"}}}
    found = {status: described(summary, content) for status in ("200", *statuses)}
    return {"operationId": name, "summary": summary, "security": [{}], "responses": found}


def door_components() -> Schema:
    """The schemas of both protocols."""
    return {**_oip(), **_mlflow()}


def _oip() -> Schema:
    parameters: Schema = {
        "type": "object",
        "additionalProperties": {"type": ["string", "number", "boolean"]},
    }
    described_tensor = members(
        {
            "name": {"type": "string"},
            "datatype": {"enum": [*DATATYPES, BYTES]},
            "shape": {"type": "array", "items": {"type": "integer"}},
            "parameters": parameters,
        },
        "parameters",
    )
    tensor = members({**described_tensor["properties"], "data": {"type": "array"}}, "parameters", "data")
    request: Schema = {
        "inputs": {"type": "array", "minItems": 1, "items": ref("OipTensor")},
        "id": {"type": ["string", "null"]},
        "parameters": {
            **parameters,
            "properties": {
                "timeout": {"type": "integer", "minimum": 0, "description": "the deadline in microseconds"},
                "idempotency_key": {"type": "string", "maxLength": 255},
                "binary_data_output": {"type": "boolean"},
            },
        },
        "outputs": {"type": ["array", "null"], "items": ref("OipWanted")},
    }
    wanted = {"name": {"enum": [one["name"] for one in OUTPUTS]}, "parameters": parameters}
    answer: Schema = {
        "model_name": {"type": "string"},
        "model_version": {"type": "string"},
        "id": {"type": "string"},
        "parameters": parameters,
        "outputs": {"type": "array", "items": ref("OipTensor")},
    }
    return {
        "OipTensor": tensor,
        "OipWanted": members(wanted, "parameters"),
        "OipInferRequest": members(request, "id", "parameters", "outputs"),
        "OipInferAnswer": members(answer, "id", "parameters"),
        "OipServer": members(
            {"name": {"type": "string"}, "version": {"type": "string"}, "extensions": _TEXTS}
        ),
        "OipLive": members({"live": {"type": "boolean"}}),
        "OipReady": members({"ready": {"type": "boolean"}}),
        "OipModelReady": members(_NAMED),
        "OipModels": members({"models": _TEXTS}),
        "OipModel": members(
            {
                "name": {"type": "string"},
                "versions": _TEXTS,
                "platform": {"type": "string"},
                "inputs": {"type": "array", "items": described_tensor},
                "outputs": {"type": "array", "items": described_tensor},
            }
        ),
        "OipIndexRequest": {"type": "object", "additionalProperties": {"type": "boolean"}},
        "OipIndex": {
            "type": "array",
            "items": members({key: {"type": "string"} for key in ("name", "version", "state", "reason")}),
        },
    }


def _mlflow() -> Schema:
    params: Schema = {
        "type": ["object", "null"],
        "properties": {
            "partial": {"type": "boolean", "default": False},
            "idempotency_key": {"type": ["string", "null"], "maxLength": 255},
        },
        "additionalProperties": False,
    }
    records: Schema = {"type": "array", "items": ref("Row"), "description": MANY}
    split: Schema = {
        "type": "object",
        "properties": {
            "columns": {"type": "array", "items": {"type": "string"}},
            "data": {"type": "array", "items": {"type": "array"}, "description": MANY},
            "index": {"type": ["array", "null"]},
        },
        "required": ["columns", "data"],
        "additionalProperties": False,
    }
    inputs: Schema = {"type": "object", "additionalProperties": {"type": "array"}}
    forms = {"dataframe_records": records, "instances": records, "dataframe_split": split, "inputs": inputs}
    return {
        "Invocation": {
            "anyOf": [
                {
                    "type": "object",
                    "properties": {name: schema, "params": params},
                    "required": [name],
                    "additionalProperties": False,
                }
                for name, schema in forms.items()
            ]
        },
        "InvocationAnswer": members(
            {
                "predictions": {"type": "array", "items": ref("Prediction")},
                "faults": {"type": "array", "items": ref("Fault"), "description": "with partial"},
            },
            "faults",
        ),
    }
