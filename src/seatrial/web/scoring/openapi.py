"""OpenAPI 3.1 of one product, from its live contract."""

from typing import Any
from weakref import WeakKeyDictionary

from seatrial import __version__
from seatrial.contract.decoder import RowDecoder
from seatrial.serve.loaded import LoadedRelease
from seatrial.serve.serving import Serving
from seatrial.web.scoring.column_schemas import Schema, row_schema
from seatrial.web.scoring.examples import example_row
from seatrial.web.scoring.openapi_answers import COMPONENTS, MANY, described, json_of, ref, responses
from seatrial.web.scoring.openapi_doors import door_components, door_paths

Document = dict[str, object]

_ARROW = "application/vnd.apache.arrow.stream"
# By the decoder: it is made once per release that is loaded, and goes with it.
_written: WeakKeyDictionary[RowDecoder, tuple[str, Document]] = WeakKeyDictionary()


def openapi(serving: Serving) -> Document:
    """The description of the product's doors, made once per release. Raises NotReady when none is live."""
    live = serving.live
    known = _written.get(live.decoder)
    if known is None or known[0] != live.id:
        known = _written[live.decoder] = (live.id, document(live))
    return known[1]


def document(live: LoadedRelease) -> Document:
    """The description of a release."""
    product = live.product
    row = example_row(product.request, product.request_columns)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": product.name,
            "summary": f"Scoring of {product.name}, release {live.id}",
            "description": f"{product.file.purpose}\n\nContract {product.contract.version}; seatrial {__version__}.",
            "version": live.id,
        },
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        # On this machine no token is asked for.
        "security": [{}, {"token": []}],
        "paths": {**_native_paths(product.name, row), **door_paths(product.name, row, product.request)},
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {
                **COMPONENTS,
                "Row": {
                    **row_schema(product.request, product.request_columns),
                    **({} if row is None else {"examples": [row]}),
                },
                "PredictRequest": _predict_request(),
                **_reports(live),
                **door_components(),
            },
        },
    }


def _native_paths(product: str, row: Schema | None) -> Schema:
    base = f"/v1/products/{product}"
    sent = {} if row is None else {"example": {"rows": [row]}}
    return {
        f"{base}/predict": {
            "post": {
                "operationId": "predict",
                "summary": "Predictions and decisions for one row or many",
                "description": "Rows are answered all or none, unless `partial` asks for the good ones. The header "
                "`x-envoy-expected-rq-timeout-ms` shortens the deadline; `traceparent` is recorded.",
                "parameters": [_idempotency_header()],
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {"schema": ref("PredictRequest"), **sent},
                        _ARROW: {"schema": {"contentMediaType": _ARROW}},
                    },
                },
                "responses": responses(
                    {**json_of("PredictAnswer"), _ARROW: {"schema": {"contentMediaType": _ARROW}}},
                    "The predictions, in the order of the rows; an Arrow stream for an Arrow stream",
                ),
            }
        },
        f"{base}/outcomes": {"post": _reporting("outcomes", "what turned out", "Outcomes")},
        f"{base}/actions": {"post": _reporting("actions", "what was really done", "Actions")},
        base: {"get": _shown("product", "The product, its live release and its columns", "Product")},
        f"{base}/openapi.json": {"get": _shown("description", "This description", "Anything")},
        "/livez": {"get": _shown("livez", "Whether the process answers", "Alive", open_to_all=True)},
        "/readyz": {
            "get": {
                **_shown("readyz", "Whether the product can be asked", "Ready", open_to_all=True),
                "responses": {
                    "200": described("Loaded and warm", json_of("Ready")),
                    "503": described("Nothing is live yet, or the server is going down", json_of("Ready")),
                },
            }
        },
    }


def _shown(name: str, summary: str, schema: str, *, open_to_all: bool = False) -> Schema:
    few = {"200": described(summary, json_of(schema))}
    found: Schema = {"security": [{}], "responses": few} if open_to_all else {}
    return {
        "operationId": name,
        "summary": summary,
        "responses": responses(json_of(schema), summary, reads_body=False),
        **found,
    }


def _reporting(name: str, what: str, schema: str) -> Schema:
    return {
        "operationId": name,
        "summary": f"Record {what}",
        "description": "The rows are judged one by one: the good ones are recorded, the others listed in `refused`.",
        "requestBody": {"required": True, "content": json_of(schema)},
        "responses": responses(
            json_of("Receipt"), "How many were recorded, and what is wrong with the others"
        ),
    }


def _predict_request() -> Schema:
    """With `partial`, rows that break the contract are left out of the answer, so that any object may be sent."""
    key = {
        "type": ["string", "null"],
        "maxLength": 255,
        "description": "The same key gives the same predictions",
    }
    members: Schema = {"partial": {"type": "boolean", "default": False}, "idempotency_key": key}
    rows: Schema = {"type": "array", "description": MANY}
    whole = {"rows": {**rows, "items": ref("Row")}, **members, "partial": {"const": False, "default": False}}
    good = {"rows": {**rows, "items": {"type": "object"}}, **members, "partial": {"const": True}}
    forms = [(whole, ["rows"]), (good, ["rows", "partial"])]
    return {
        "anyOf": [
            {"type": "object", "properties": form, "required": required, "additionalProperties": False}
            for form, required in forms
        ]
    }


def _reports(live: LoadedRelease) -> Schema:
    """Outcomes and actions; a row that does not fit is answered in the receipt, so that the schema lets it be."""
    product = live.product
    outcome = row_schema(product.request, product.outcome_columns)
    named: Schema = {
        "prediction_id": {"type": ["string", "null"]},
        "key": {
            "type": ["string", "null"],
            "description": f"the {product.key}, where no prediction is named",
        },
        "revision": {"type": ["integer", "null"], "minimum": 0, "description": "higher for a correction"},
    }
    moment = {"type": ["string", "null"], "format": "date-time"}
    outcomes = {**named, **outcome["properties"], "known_at": moment}
    acted = {**named, "done": {"type": "boolean"}, "by": {"type": ["string", "null"]}, "at": moment}
    return {
        "OutcomeRow": {"type": "object", "properties": outcomes, "required": [product.label]},
        "ActionRow": {"type": "object", "properties": acted, "required": ["done"]},
        "Outcomes": _listing("outcomes", "OutcomeRow", {product.label: True}),
        "Actions": _listing("actions", "ActionRow", {"done": True, "by": "front desk"}),
    }


def _listing(name: str, row: str, example: dict[str, Any]) -> Schema:
    rows: Schema = {"type": "array", "description": MANY, "items": {"anyOf": [ref(row), {}]}}
    return {
        "type": "object",
        "properties": {name: rows},
        "required": [name],
        "additionalProperties": False,
        "examples": [{name: [{"prediction_id": "0199c0de", **example}]}],
    }


def _idempotency_header() -> Schema:
    return {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "description": "As the member of that name, which goes before it",
        "schema": {"type": "string", "maxLength": 255},
    }
