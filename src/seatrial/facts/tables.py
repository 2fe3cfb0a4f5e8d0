"""The schemas of the tables that cross doors, written once.

Types are names, not a library's types: string, float, int, bool, timestamp (UTC, microseconds). A product's
features and outcome columns follow the fixed columns, prefixed `feature_` and `outcome_`.
"""

import msgspec


class Column(msgspec.Struct, frozen=True):
    """One column: name, type name, and what it holds."""

    name: str
    type: str
    meaning: str = ""


PREDICTIONS: tuple[Column, ...] = (
    Column("prediction_id", "string", "unique per answered row"),
    Column("idempotency_key", "string", "the caller's key, if one was given"),
    Column("unit", "string", "what is randomised: by default the key"),
    Column("assigned", "string", "variant that the sticky hash chose"),
    Column("served", "string", "variant that answered"),
    Column("product", "string"),
    Column("release", "string"),
    Column("model_digest", "string"),
    Column("key", "string", "the product's key of the row"),
    Column("made_at", "timestamp", "when the decision was made"),
    Column("received_at", "timestamp", "when the request arrived"),
    Column("matured_at", "timestamp", "when either outcome would be known"),
    Column("score", "float", "probability of the outcome; null when the fallback answered"),
    Column("decision", "bool", "what the product advised"),
    Column("baseline", "bool", "what would have been done without the model"),
    Column("propensity", "float", "probability of the assigned variant, in (0, 1]"),
    Column("fallback", "string", "why the fallback answered; null when the model did"),
    Column("latency_ms", "float"),
    Column("contract_version", "string"),
    Column("trace_id", "string"),
)

OUTCOMES: tuple[Column, ...] = (
    Column("prediction_id", "string"),
    Column("key", "string"),
    Column("known_at", "timestamp", "when the outcome became known in the world"),
    Column("received_at", "timestamp", "when it was reported here"),
    Column("revision", "int", "0 for the first report, higher for corrections"),
)

ACTIONS: tuple[Column, ...] = (
    Column("prediction_id", "string"),
    Column("key", "string"),
    Column("done", "bool", "whether the action was taken, whatever was advised"),
    Column("by", "string", "who did it"),
    Column("at", "timestamp", "when it was done"),
    Column("received_at", "timestamp", "when it was reported here"),
    Column("revision", "int", "0 for the first report, higher for corrections"),
)

LEDGER: tuple[Column, ...] = (
    Column("prediction_id", "string"),
    Column("key", "string"),
    Column("unit", "string"),
    Column("made_at", "timestamp"),
    Column("matured_at", "timestamp"),
    Column("settled_at", "timestamp", "when the row was booked"),
    Column("block", "string", "the dependence unit that the row belongs to"),
    Column("release", "string"),
    Column("model_digest", "string"),
    Column("assigned", "string"),
    Column("served", "string"),
    Column("score", "float"),
    Column("decision", "bool"),
    Column("baseline", "bool"),
    Column("label", "bool", "the outcome; null when it never arrived"),
    Column(
        "value", "float", "value of the decision, in the product's unit; null when the outcome is unknown"
    ),
    Column("baseline_value", "float", "value of what would have been done without the model"),
    Column("act_value", "float", "value of acting on this row"),
    Column("rest_value", "float", "value of not acting on this row"),
    Column("capped", "bool", "whether the value range cut a value of this row"),
    Column("loss", "float", "Brier loss of the score, in [0, 1]; null without score or outcome"),
    Column("objective", "string", "digest of the objective it was valued under"),
    Column(
        "awaited", "bool", "whether it brings the first known value of an answer that was booked without one"
    ),
)

# As stored: which settlement booked the row. First bookings and first known values have a number; null marks a
# correction of what was known, which no monitor counts again.
STORED_LEDGER: tuple[Column, ...] = (*LEDGER, Column("batch", "int", "number of the settlement"))

QUARANTINE: tuple[Column, ...] = (
    Column("id", "string", "digest of source, rule and row: the same row put aside again is the same"),
    Column("source", "string"),
    Column("rule", "string", "the rule that was broken"),
    Column("expected", "string", "what the rule asks for, in words"),
    Column("received", "string", "what the row held"),
    Column("contract_version", "string"),
    Column("load", "int", "number of the load that brought it"),
    Column("line", "int", "its place in the delivery, from 0"),
    Column("at", "timestamp", "when the row was put aside"),
    Column("row", "string", "the whole row as JSON"),
)

# A quarantined row that is open no more: why and when. The latest of the two tables tells.
SETTLED_QUARANTINE: tuple[Column, ...] = (
    Column("id", "string", "the id of the row in quarantine"),
    Column(
        "how",
        "string",
        "corrected, fits the contract now, delivered anew without it, replaced by a later delivery, is stored already",
    ),
    Column("by", "string", "the correction or contract version that let it through"),
    Column("load", "int", "number of the load that took it in"),
    Column("at", "timestamp"),
)

# Tables of sources and examples keep their changes: a state is what was added and not removed by then.
CHANGES: tuple[Column, ...] = (
    Column("__load", "int", "number of the load, or snapshot, that made the change"),
    Column("__change", "int", "1: the row was added; -1: it was removed"),
    Column("__position", "int", "the row's place among those that the load added"),
)

TABLES: dict[str, tuple[Column, ...]] = {
    "predictions": PREDICTIONS,
    "outcomes": OUTCOMES,
    "actions": ACTIONS,
    "ledger": STORED_LEDGER,
    "quarantine": QUARANTINE,
    "quarantine_settled": SETTLED_QUARANTINE,
}


def table_name(product: str, table: str) -> str:
    """The stored name of a product's table: products of one workspace share no table."""
    return f"{product}.{table}"


def source_table(product: str, source: str) -> str:
    """The stored name of the table with a source's rows that kept their contract."""
    return table_name(product, f"source.{source}")


def examples_table(product: str) -> str:
    """The stored name of the table with the examples of all snapshots."""
    return table_name(product, "examples")
