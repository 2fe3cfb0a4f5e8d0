"""The draft of a product file: what people answered, completed by guesses; and what is still missing, in words."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl
from pydantic import TypeAdapter, ValidationError

from seatrial.contract.types import type_name
from seatrial.errors import ProductFileInvalid
from seatrial.product.schema import Name, ProductFile, Source
from seatrial.prototype.guess import guess_key, guess_label, guess_made_at
from seatrial.prototype.ports import ModelFacts

ANSWERS_FILE = "answers.yaml"
SECTIONS = tuple(ProductFile.model_fields)
_SOURCES: TypeAdapter[dict[str, Source]] = TypeAdapter(dict[Name, Source])
_MISSING_EXAMPLES = {
    "from": "which source has one row per decision",
    "key": "which column identifies a row; no column of the sample is without repetition",
    "made_at": "which column tells when the decision was made; the sample has no column of moments",
    "outcome": "which yes-or-no column is the outcome: {label: ...}",
    "known_at": "which column tells when the outcome became known",
    "matured_at": "from when on either outcome would be known, as SQL: made_at + INTERVAL '30 days'",
}
_UNPLACED = "examples.outcome.also"


@dataclass(frozen=True)
class Draft:
    """`sections` of the product file in their order, without what nobody knows yet; `missing` says what that is."""

    sections: dict[str, Any]
    missing: tuple[str, ...]

    @property
    def examples(self) -> dict[str, Any]:
        """The section about examples, as far as it is known."""
        return dict(self.sections["examples"])

    @property
    def features(self) -> tuple[str, ...]:
        """The model's inputs, empty when they are not known by name."""
        features = self.sections["model"].get("features", "all")
        return () if features == "all" else tuple(features)

    @property
    def later(self) -> set[str]:
        """Columns of the examples' source that are known only after the decision."""
        outcome = self.examples.get("outcome", {})
        named = {outcome.get("label"), *outcome.get("also", ()), self.examples.get("known_at")}
        return {str(name) for name in named if name is not None}

    def mentions(self, *, lookups: bool = True) -> set[str]:
        """Every word of the expressions, so that a column they may read is known to be used."""
        examples, objective = self.examples, self.sections.get("objective", {})
        texts = [str(examples.get("matured_at", "")), *map(str, examples.get("derive", {}).values())]
        texts += [str(objective.get(part, "")) for part in ("decision", "value", "baseline")]
        words = set(re.findall(r"\w+", " ".join(texts)))
        return words | (
            {name for one in examples.get("lookups", {}).values() for name in one["on"]} if lookups else set()
        )


def declared_sources(answers: Mapping[str, Any] | None) -> dict[str, Source]:
    """The sources that the answers declare; empty when they declare none. Raises ProductFileInvalid."""
    try:
        return _SOURCES.validate_python((answers or {}).get("sources") or {})
    except ValidationError as error:
        problems = [f"sources.{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
        raise ProductFileInvalid(problems, name=ANSWERS_FILE) from error


def draft_product(
    name: str,
    estimator: str,
    model: ModelFacts,
    frames: Mapping[str, pl.DataFrame],
    answers: Mapping[str, Any],
) -> Draft:
    """The draft from answers, guesses and the model. Raises ProductFileInvalid for answers that cannot be used."""
    _check_answers(answers)
    examples = _examples(answers, frames, model)
    sections = {
        **{section: answers[section] for section in SECTIONS if section in answers},
        "product": name,
        "contract": "contract.yaml",
        "examples": examples,
        "model": _model(answers, estimator, model),
    }
    draft = Draft({section: sections[section] for section in SECTIONS if section in sections}, ())
    return Draft(draft.sections, tuple(_missing(draft, frames, model)))


def _check_answers(answers: Mapping[str, Any]) -> None:
    unknown = [key for key in answers if key not in SECTIONS]
    problems = [f"{key}: not a section of a product file; there are {', '.join(SECTIONS)}" for key in unknown]
    problems += [
        f"{section}: expected a mapping, got {answers[section]!r}"
        for section in ("owner", "objective", "examples", "model", "sources")
        if not isinstance(answers.get(section, {}), Mapping)
    ]
    if problems:
        raise ProductFileInvalid(problems, name=ANSWERS_FILE)


def _examples(
    answers: Mapping[str, Any], frames: Mapping[str, pl.DataFrame], model: ModelFacts
) -> dict[str, Any]:
    stated = dict(answers.get("examples", {}))
    source = stated.get("from") or (next(iter(frames)) if len(frames) == 1 else None)
    frame = frames.get(str(source), pl.DataFrame())
    label = guess_label(frame, model.features)
    guessed = {
        "from": source,
        "key": guess_key(frame, model.features),
        "made_at": guess_made_at(frame),
        "outcome": {"label": label} if label else None,
    }
    ordered = {**guessed, "known_at": None, "matured_at": None, **stated}
    return {field: value for field, value in ordered.items() if value is not None}


def _model(answers: Mapping[str, Any], estimator: str, model: ModelFacts) -> dict[str, Any]:
    own = {"task": "binary", "estimator": estimator, "consented": model.digest}
    features = {"features": list(model.features)} if model.features else {}
    return {**own, **features, **answers.get("model", {}), "estimator": estimator, "consented": model.digest}


def _missing(draft: Draft, frames: Mapping[str, pl.DataFrame], model: ModelFacts) -> list[str]:
    sections, examples = draft.sections, draft.examples
    found = []
    if "purpose" not in sections:
        found.append("purpose: what the product is for, in a sentence")
    if "owner" not in sections:
        found.append(
            "owner: {business: ..., engineering: ...}, who answers for it; without, no release goes live"
        )
    if "objective" not in sections:
        found.append(
            "objective: what a decision is worth (unit, value, value_range) and what is done today (baseline); "
            "without, no release goes live"
        )
    found += [
        f"examples.{field}: {words}" for field, words in _MISSING_EXAMPLES.items() if field not in examples
    ]
    if model.task not in ("binary", "unknown"):
        found.append(f"model: a classifier with two classes; {model.class_name} is for {model.task}")
    return [*found, *_missing_features(draft, frames), *_unplaced(draft, frames)]


def _missing_features(draft: Draft, frames: Mapping[str, pl.DataFrame]) -> list[str]:
    """Features of the model that nothing gives at the moment of the decision."""
    examples = draft.examples
    frame = frames.get(str(examples.get("from")), pl.DataFrame())
    looked_up = {
        name for lookup in examples.get("lookups", {}).values() for name in lookup.get("columns", ())
    }
    given = (
        {name for name in frame.columns if name not in draft.later}
        | looked_up
        | set(examples.get("derive", {}))
    )
    absent = [name for name in draft.features if name not in given]
    moments = [
        name
        for name in draft.features
        if name in frame.columns and type_name(frame.schema[name]) == "timestamp"
    ]
    found = []
    if absent:
        found.append(
            f"model.features: nothing gives {', '.join(absent)} at the decision; add lookups or derive them"
        )
    if moments:
        found.append(f"model.features: {', '.join(moments)} are moments; derive numbers from them")
    return found


def placed_anew(draft: Draft, frames: Mapping[str, pl.DataFrame]) -> tuple[str, ...]:
    """What is missing, now that more columns were found to be known only later."""
    if not any(one.startswith(_UNPLACED) for one in draft.missing):
        return draft.missing
    rest = _without_part(draft, frames)
    kept = [one for one in draft.missing if not one.startswith(_UNPLACED)]
    also = f"{_UNPLACED}: which of {', '.join(rest)} are known only later as well, besides those found to be"
    return (*kept, *([also] if rest else []))


def _unplaced(draft: Draft, frames: Mapping[str, pl.DataFrame]) -> list[str]:
    """Columns without a part to play: what is known only later must be said, or requests would have to bring it."""
    if not draft.features or "also" in draft.examples.get("outcome", {}):
        return []
    rest = _without_part(draft, frames)
    return [f"{_UNPLACED}: which of {', '.join(rest)} are known only later ([] if none)"] if rest else []


def _without_part(draft: Draft, frames: Mapping[str, pl.DataFrame]) -> list[str]:
    examples = draft.examples
    frame = frames.get(str(examples.get("from")), pl.DataFrame())
    placed = {*draft.features, *draft.later, *draft.mentions(), examples.get("key"), examples.get("made_at")}
    return [name for name in frame.columns if name not in placed]
