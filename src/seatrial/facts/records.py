"""How predictions and outcomes are written as journal records."""

import msgspec

from seatrial.facts.prediction import Outcome, Prediction

PREDICTIONS = "predictions"
OUTCOMES = "outcomes"

_encoder = msgspec.msgpack.Encoder()
_prediction = msgspec.msgpack.Decoder(Prediction)
_outcome = msgspec.msgpack.Decoder(Outcome)


def encode_record(fact: Prediction | Outcome) -> bytes:
    """The record of one prediction or outcome."""
    return _encoder.encode(fact)


def decode_prediction(record: bytes) -> Prediction:
    """The prediction of a record. Raises msgspec.ValidationError for other bytes."""
    return _prediction.decode(record)


def decode_outcome(record: bytes) -> Outcome:
    """The outcome of a record. Raises msgspec.ValidationError for other bytes."""
    return _outcome.decode(record)
