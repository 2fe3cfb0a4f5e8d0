"""Answers that were given under an idempotency key, so that a retry gets the same ones."""

from collections import OrderedDict
from hashlib import blake2b
from uuid import NAMESPACE_URL, uuid5

import msgspec

from seatrial.errors import RequestInvalid
from seatrial.serve.request import Answers, Request

_Place = tuple[str, str]


def replay_id(product: str, idempotency_key: str, row: int) -> str:
    """The prediction id of a row under an idempotency key: the same in every process, before and after restarts."""
    return str(uuid5(NAMESPACE_URL, f"seatrial:{product}:{len(idempotency_key)}:{idempotency_key}:{row}"))


class Replays:
    """The last answers, up to `capacity` rows of them; the least recently used go first."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._held = 0
        self._answers: OrderedDict[_Place, tuple[bytes, Answers]] = OrderedDict()

    def find(self, product: str, request: Request, mark: bytes) -> Answers | None:
        """What was answered under the request's key, or None. Raises RequestInvalid when its rows were others."""
        place = (product, request.idempotency_key or "")
        recorded = self._answers.get(place)
        if recorded is None:
            return None
        if recorded[0] != mark:
            raise RequestInvalid([_other_rows(place[1])])
        self._answers.move_to_end(place)
        return recorded[1]

    def record(self, product: str, request: Request, mark: bytes, answers: Answers) -> None:
        """Remember what was answered; without a key there is nothing to remember it by."""
        if not request.idempotency_key:
            return
        self._answers[product, request.idempotency_key] = (mark, answers)
        self._held += _weight(answers)
        while self._held > self._capacity and self._answers:
            _, (_, dropped) = self._answers.popitem(last=False)
            self._held -= _weight(dropped)


def fingerprint(request: Request) -> bytes:
    """Tells the rows of a request from others, whatever the order of their fields."""
    return blake2b(
        msgspec.json.encode((request.plain, request.partial), order="sorted"), digest_size=16
    ).digest()


def _weight(answers: Answers) -> int:
    """What answers count: their rows and their faults, each of which is kept."""
    return max(1, len(answers.predictions) + len(answers.faults))


def _other_rows(idempotency_key: str) -> dict[str, object]:
    return {
        "row": 0,
        "field": "idempotency_key",
        "expected": "a new key for new rows",
        "received": f"{idempotency_key!r}, which was used with other rows",
    }
