"""What every door answers, in OpenAPI: the good answer, and each error that can come instead."""

from typing import Any

from seatrial.facts.prediction import Variant

Schema = dict[str, Any]

# In words: what a server takes at once is no rule of the contract.
MANY = "At most as many as one request may have, by default 10,000; more are answered with 413"
_JSON = "application/json"
_RETRY: Schema = {
    "Retry-After": {"description": "Seconds until it makes sense to ask again", "schema": {"type": "integer"}}
}
_HEADERS: dict[int, Schema] = {
    401: {"WWW-Authenticate": {"description": "How to show who asks", "schema": {"type": "string"}}},
    405: {"Allow": {"description": "The methods that would do", "schema": {"type": "string"}}},
    429: _RETRY,
    503: _RETRY,
}
_ALWAYS = {
    401: "No token that holds",
    403: "The token is for something else, or a foreign page asks",
    404: "Nothing of that name is served here",
    405: "Another method is expected",
    429: "The token's quota is used up",
    500: "Something went wrong here",
    503: "Nothing is live yet, the queue is full, the journal cannot be written, or the server is going down",
    504: "The deadline passed before the answer",
}
_OF_BODIES = {
    400: "The body cannot be read, or breaks the contract: every faulty row and field is named",
    408: "The body took too long to come",
    413: "More bytes or rows than one request may have",
    415: "Another content type is expected",
}
_FAULT: Schema = {
    "type": "object",
    "properties": {
        "row": {"type": ["integer", "null"], "description": "the place of the row in the request, from 0"},
        "field": {"type": "string"},
        "expected": {"type": "string"},
        "received": {"type": "string"},
    },
    "required": ["row", "field", "expected", "received"],
}
_PREDICTION: Schema = {
    "row": {"type": "integer", "minimum": 0, "description": "the place of the row in the request, from 0"},
    "prediction_id": {"type": "string", "description": "names the prediction when its outcome is reported"},
    "key": {"type": "string"},
    "score": {"type": ["number", "null"], "description": "a probability; null when the fallback answered"},
    "decision": {"type": "boolean"},
    "release": {"type": "string"},
    "variant": {"enum": [one.value for one in Variant]},
    "fallback": {"type": ["string", "null"], "description": "why the model did not answer"},
}
_ERROR: Schema = {
    "error": {"type": "string"},
    "code": {"type": "string", "description": "stable; see the list of errors in the documentation"},
    "details": {"type": "array", "items": {"$ref": "#/components/schemas/Fault"}},
    "request_id": {"type": "string"},
}


def ref(name: str) -> Schema:
    """A reference to a schema of the components."""
    return {"$ref": f"#/components/schemas/{name}"}


def json_of(name: str) -> Schema:
    """The content of a body that is JSON of one schema."""
    return {_JSON: {"schema": ref(name)}}


def described(description: str, content: Schema, headers: Schema | None = None) -> Schema:
    """A response."""
    return {"description": description, "content": content, **({"headers": headers} if headers else {})}


def responses(content: Schema, description: str, *, reads_body: bool = True, error: str = "Error") -> Schema:
    """The good response and every error that can come instead, each with its headers."""
    errors = {**(_OF_BODIES if reads_body else {}), **_ALWAYS}
    return {
        "200": described(description, content),
        **{
            str(status): described(words, json_of(error), _HEADERS.get(status))
            for status, words in sorted(errors.items())
        },
    }


def members(properties: Schema, *optional: str) -> Schema:
    """An object all of whose members are there, but the optional ones."""
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
    }


_PRODUCT = ("product", "purpose", "release", "model_digest", "contract_version")
COMPONENTS: Schema = {
    "Fault": _FAULT,
    "Error": members(_ERROR),
    "MlflowError": members({"error_code": {"type": "string"}, "message": {"type": "string"}, **_ERROR}),
    "Prediction": members(_PREDICTION),
    "PredictAnswer": members(
        {
            "product": {"type": "string"},
            "release": {"type": "string", "description": "the live one; a row may be answered by a canary"},
            "predictions": {"type": "array", "items": ref("Prediction")},
            "faults": {"type": "array", "items": ref("Fault"), "description": "of rows left out"},
        }
    ),
    "Receipt": members(
        {
            "accepted": {"type": "integer", "minimum": 0},
            "refused": {"type": "array", "items": ref("Fault")},
        }
    ),
    "Product": members(
        {
            **{name: {"type": "string"} for name in _PRODUCT},
            "columns": {"type": "array", "items": {"type": "object"}},
        }
    ),
    "Alive": members({"status": {"const": "alive"}}),
    "Ready": members({"ready": {"type": "boolean"}, "products": {"type": "object"}}, "products"),
    "Anything": {},
}
