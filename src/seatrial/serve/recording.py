"""What a micro-batch leaves in the journal: a record per release that answered, and per shadow."""

from collections.abc import Sequence

from seatrial.facts.prediction import Variant
from seatrial.facts.records import encode_record
from seatrial.serve.ruling import Part, Roles, Ruling
from seatrial.serve.sheets import Sheet, taken
from seatrial.serve.writing import RowFacts, block


def answer_records(ruling: Ruling, facts: RowFacts, whole: Sheet) -> list[bytes]:
    """The records of the answers, and of shadows that are known already."""
    records = []
    for part in ruling.parts:
        assert part.sheet is not None  # who could not read the rows answers none
        every = part.places is None or len(part.places) == whole.rows
        places = () if part.places is None else part.places
        found = block(
            part.loaded,
            facts if every else facts.taken(places),
            part.verdicts,
            ruling.roles if every else ruling.roles.taken(places),
            features=part.sheet.features,
            matured_at=_matured(part, whole),
            baselines=part.sheet.baselines,
        )
        records.append(encode_record(found))
    return [
        *records,
        *(shadow_record(part, facts.taken(part.places or ()), whole) for part in ruling.shadows),
    ]


def shadow_record(part: Part, own: RowFacts, whole: Sheet) -> bytes:
    """The record of what a release says to rows that it did not answer; `own` are the facts of these."""
    rows = len(own.ids)
    shadows = [Variant.SHADOW] * rows
    seen = part.sheet or (whole if part.places is None else taken(whole, part.places))
    found = block(
        part.loaded,
        own,
        part.verdicts,
        Roles(shadows, shadows, [1.0] * rows),
        features={} if part.sheet is None else part.sheet.features,
        matured_at=_matured(part, whole),
        baselines=seen.baselines,
    )
    return encode_record(found)


def _matured(part: Part, whole: Sheet) -> Sequence[int | None]:
    """When the rows mature by the part's product, else by the live one, by which every row does."""
    ours = whole.matured_at if part.places is None else [whole.matured_at[at] for at in part.places]
    theirs = ours if part.sheet is None else part.sheet.matured_at
    if None not in theirs:
        return theirs
    return [own if own is not None else other for own, other in zip(theirs, ours, strict=True)]
