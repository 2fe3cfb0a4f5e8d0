"""What was really done: people override decisions."""

from datetime import datetime

import msgspec


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """What was done about a prediction, as it was reported: by prediction id or by key.

    `done` says whether the decision's action was taken (True: acted), whatever the product advised; `by` names who
    did it. A correction is a new revision.
    """

    prediction_id: str | None
    key: str | None
    done: bool
    by: str | None
    at: datetime
    received_at: datetime
    revision: int = 0
