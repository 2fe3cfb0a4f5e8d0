"""Intake: from a fitted model, its data and what people answered, to a product file and a contract."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any

import polars as pl

from seatrial.contract.odcs import write_contract
from seatrial.contract.sanity import contract_problems
from seatrial.errors import ContractInvalid, ProductFileInvalid
from seatrial.product.read import parse_product
from seatrial.prototype.agreement import first_contract
from seatrial.prototype.draft import ANSWERS_FILE, Draft, declared_sources, draft_product
from seatrial.prototype.ports import ModelFacts
from seatrial.prototype.suspicion import Suspicion
from seatrial.prototype.times import assumed_zones
from seatrial.prototype.withheld import mark, notes, suspicions, withhold
from seatrial.prototype.writing import write_product

__all__ = ["Intake", "declared_sources", "source_name", "take_in"]
_LINE = re.compile(r"^line \d+: ")


@dataclass(frozen=True)
class Intake:
    """The texts of `product.yaml` and `contract.yaml`, and what is still missing or wrong, in words.

    `suspected` are the columns that are no features because they seem to know the outcome.
    """

    product_text: str
    contract_text: str
    missing: tuple[str, ...]
    suspected: tuple[Suspicion, ...] = ()


def source_name(file: str) -> str:
    """What the source of a data file is called: its stem in lower case, other characters as underscores."""
    stem = re.sub(r"[^a-z0-9_]+", "_", PurePath(file).stem.lower()).strip("_")
    return stem if stem[:1].isalpha() else f"table_{stem}"


def take_in(
    *,
    name: str,
    estimator: str,
    model: ModelFacts,
    frames: Mapping[str, pl.DataFrame],
    sample_file: str | None = None,
    answers: Mapping[str, Any] | None = None,
) -> Intake:
    """The product file and the contract that can be written from what is known.

    `estimator` is the model's file as the product file names it, `frames` holds a table per source: those that
    the answers declare (`declared_sources`), or else the one of `sample_file`, called `source_name(sample_file)`.
    Files with mistakes are written all the same, so that they can be mended; `missing` tells the mistakes too.
    Columns that seem to know the outcome are left out of the features, with the evidence in comments.
    Raises ProductFileInvalid for answers that cannot be used, DataRefused for tables that no contract can hold.
    """
    stated = dict(answers or {})
    rules = stated.pop("contract", None) or {}
    if not stated.get("sources") and sample_file is not None:
        stated["sources"] = {source_name(sample_file): {"path": sample_file}}
    _check_frames(declared_sources(stated), frames)
    assumed = assumed_zones(stated["sources"], frames)
    stated["sources"] = assumed.sources
    draft = draft_product(name, estimator, model, assumed.frames, stated)
    draft = replace(draft, missing=(*draft.missing, *assumed.missing))
    return _written(name, draft, assumed.frames, rules)


def _written(name: str, draft: Draft, frames: Mapping[str, pl.DataFrame], rules: Mapping[str, Any]) -> Intake:
    contract = first_contract(name, draft, frames, rules)
    found, unsearched = suspicions(draft, contract, frames)
    draft = replace(draft, missing=(*draft.missing, *unsearched))
    if found:
        draft = withhold(draft, found, frames)
        contract = mark(first_contract(name, draft, frames, rules), str(draft.examples["from"]), found)
    if problems := contract_problems(contract):
        raise ContractInvalid(problems, name=ANSWERS_FILE)
    contract_text = write_contract(contract)
    comments = notes(draft, frames, found)
    problems = _problems(write_product(draft.sections, (), comments), contract_text, draft.missing)
    missing = (*draft.missing, *problems)
    return Intake(write_product(draft.sections, missing, comments), contract_text, missing, found)


def _problems(product_text: str, contract_text: str, missing: tuple[str, ...]) -> list[str]:
    """What reading the files back finds, without what is told as missing already.

    What is missing is written below the sections, so that the lines told here hold for the file.
    """
    try:
        parse_product(product_text, contract_text)
    except (ProductFileInvalid, ContractInvalid) as error:
        told = {one.partition(": ")[0] for one in missing}
        return [
            " ".join(one.split())
            for one in error.problems
            if _LINE.sub("", one).partition(": ")[0] not in told
        ]
    return []


def _check_frames(sources: Mapping[str, Any], frames: Mapping[str, pl.DataFrame]) -> None:
    if not sources:
        raise ProductFileInvalid(
            ["sources: missing; declare them in the answers, or give a data file"], name=ANSWERS_FILE
        )
    unread = [f"sources.{name}: no table was read for it" for name in sources if name not in frames]
    if unread:
        raise ProductFileInvalid(unread, name=ANSWERS_FILE)
