"""Why a row is, or is not, in the training data, and what the newest model of the snapshot used it for."""

from collections.abc import Sequence

import msgspec

from seatrial.data.erasure import texts
from seatrial.data.states import found as found_state
from seatrial.data.states import state_of
from seatrial.data.why import Answer
from seatrial.data.why import why as why_in_data
from seatrial.errors import NotFound, TrainingFailed
from seatrial.facts.model import Model
from seatrial.facts.snapshot import Snapshot
from seatrial.ports.workspace import Workspace
from seatrial.product.product import Product
from seatrial.train.split import Split, split_by_time

_USES = {
    "training": "its threshold was chosen with a trial model that learned from the row",
    "validation": "the row judged the trial model, and so chose the threshold",
    "embargo": (
        "the trial model left the row out: its outcome was not known yet when the rows that judge were made"
    ),
}


def why(
    product: Product, workspace: Workspace, keys: Sequence[object], *, snapshot: str = ""
) -> list[Answer]:
    """One answer per key, in order; of the newest snapshot, or of the one with that id or beginning of one.

    Raises NotFound for an unknown snapshot, or when nothing was read yet.
    """
    with workspace.metadata.begin() as transaction:
        chosen = found_state(transaction, product.name, snapshot) if snapshot else None
        newest = transaction.all(Snapshot, product.name, limit=1)
        models = transaction.all(Model, product.name)
    if chosen is not None and not isinstance(chosen, Snapshot):
        raise NotFound(f"{snapshot} is a load of source {chosen.source}; expected a snapshot")
    meant = chosen or (newest[-1] if newest else None)
    answers = why_in_data(product, workspace, keys, snapshot=meant)
    model = next((one for one in reversed(models) if meant and one.snapshot == meant.id), None)
    if meant is None or model is None or not any(one.reason == "in the snapshot" for one in answers):
        return answers
    uses = _uses(product, workspace, meant)
    return [_with_use(answer, model, uses) for answer in answers]


def _uses(product: Product, workspace: Workspace, snapshot: Snapshot) -> dict[str, str]:
    """What each example, by key, was used for; empty when the product file does not split the snapshot any more."""
    rows = state_of(snapshot, workspace.tables, workspace.artifacts).frame
    try:
        split = split_by_time(product, rows)
    except TrainingFailed:
        return {}
    uses = dict.fromkeys(texts(rows[product.key]), "embargo")
    return uses | _keys(product, split, "training") | _keys(product, split, "validation")


def _keys(product: Product, split: Split, use: str) -> dict[str, str]:
    return dict.fromkeys(texts(getattr(split, use)[product.key]), use)


def _with_use(answer: Answer, model: Model, uses: dict[str, str]) -> Answer:
    if answer.reason != "in the snapshot":
        return answer
    use = uses.get(answer.key, "")
    how = f"; {_USES[use]}" if use else ""
    words = f"{answer.words}, and model {model.id.removeprefix('sha256:')[:12]} was fitted on it{how}"
    return msgspec.structs.replace(answer, words=words, use=use, model=model.id)
