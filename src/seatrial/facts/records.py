"""How predictions, outcomes, actions and ejections are written as journal records."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from seatrial.facts.action import Action
from seatrial.facts.ejection import Ejection
from seatrial.facts.prediction import Outcome, Prediction, PredictionBlock

PREDICTIONS = "predictions"
OUTCOMES = "outcomes"
ACTIONS = "actions"
EJECTIONS = "ejections"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_encoder = msgspec.msgpack.Encoder()
_prediction = msgspec.msgpack.Decoder(Prediction)
_block = msgspec.msgpack.Decoder(PredictionBlock)
_outcome = msgspec.msgpack.Decoder(Outcome)
_action = msgspec.msgpack.Decoder(Action)
_ejection = msgspec.msgpack.Decoder(Ejection)


def encode_record(fact: Prediction | PredictionBlock | Outcome | Action | Ejection) -> bytes:
    """The record of a fact."""
    return _encoder.encode(fact)


def decode_predictions(record: bytes) -> PredictionBlock:
    """The predictions of a record. Raises msgspec.ValidationError for other bytes.

    Version 0.1.0 wrote one prediction a record, as a map; a block is an array.
    """
    if not _is_array(record):
        return _as_block(_prediction.decode(record))
    block = _block.decode(record)
    rows = len(block.prediction_id)
    lists = [part for part in msgspec.structs.astuple(block) if type(part) is list]
    if any(len(values) != rows for values in (*lists, *block.features.values())):
        raise msgspec.ValidationError(f"a block of {rows} predictions, of which a column holds more or fewer")
    return block


def only_rows(block: PredictionBlock, rows: Sequence[int]) -> PredictionBlock:
    """The block with these of its rows alone, in this order."""
    parts = msgspec.structs.asdict(block).items()
    fixed = {name: [part[row] for row in rows] for name, part in parts if isinstance(part, list)}
    features = {name: [values[row] for row in rows] for name, values in block.features.items()}
    return msgspec.structs.replace(block, **fixed, features=features)


def decode_outcome(record: bytes) -> Outcome:
    """The outcome of a record. Raises msgspec.ValidationError for other bytes."""
    return _outcome.decode(record)


def decode_action(record: bytes) -> Action:
    """The action of a record. Raises msgspec.ValidationError for other bytes."""
    return _action.decode(record)


def decode_ejection(record: bytes) -> Ejection:
    """The ejection of a record. Raises msgspec.ValidationError for other bytes."""
    return _ejection.decode(record)


def microseconds(moment: datetime) -> int:
    """Microseconds from 1970 to the moment, exactly."""
    return (moment - _EPOCH) // _MICROSECOND


def _is_array(record: bytes) -> bool:
    return (record[:1] > b"\x8f" and record[:1] < b"\xa0") or record[:1] in (b"\xdc", b"\xdd")


def _as_block(one: Prediction) -> PredictionBlock:
    return PredictionBlock(
        product=one.product,
        release=one.release,
        model_digest=one.model_digest,
        contract_version=one.contract_version,
        prediction_id=[one.prediction_id],
        idempotency_key=[one.idempotency_key],
        trace_id=[one.trace_id],
        unit=[one.unit],
        key=[one.key],
        assigned=[one.assigned],
        served=[one.served],
        made_at=[microseconds(one.made_at)],
        received_at=[microseconds(one.received_at)],
        matured_at=[microseconds(one.matured_at)],
        score=[one.score],
        decision=[one.decision],
        baseline=[one.baseline],
        propensity=[one.propensity],
        fallback=[one.fallback],
        latency_ms=[one.latency_ms],
        features={name: [value] for name, value in one.features.items()},
    )
