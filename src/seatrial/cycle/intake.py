"""Intake: a fitted model, a table and what people know become a product folder."""

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from seatrial.data.ports import SourceReader
from seatrial.data.reading import read_whole
from seatrial.errors import Conflict, ProductFileInvalid
from seatrial.ports.workspace import Workspace
from seatrial.product.read import FILE_NAME
from seatrial.product.schema import NAME_PATTERN, NAME_WORDS, Source
from seatrial.product.yaml_lines import parse_yaml
from seatrial.prototype.draft import declared_sources
from seatrial.prototype.intake import Intake, source_name, take_in
from seatrial.prototype.ports import ModelInspector

CONTRACT_NAME = "contract.yaml"


def write_product(
    folder: Path,
    *,
    name: str,
    model_file: Path,
    sample_file: Path | None,
    answers_text: str | None,
    inspector: ModelInspector,
    reader: SourceReader,
    workspace: Workspace,
    replace: bool = False,
) -> Intake:
    """Write `product.yaml` and `contract.yaml` into `folder`, and copy the model there if it lies elsewhere.

    Calling this is consent to open the model's file; its digest is recorded, and training opens no other.
    Raises Conflict when the files are there and `replace` is not set.
    """
    present = [path for path in (folder / FILE_NAME, folder / CONTRACT_NAME) if path.exists()]
    if present and not replace:
        raise Conflict(f"{present[0]} is there already; --force replaces it")
    if not re.fullmatch(NAME_PATTERN, name):
        raise ProductFileInvalid([f"product: expected {NAME_WORDS}, got {name!r}"], name=FILE_NAME)
    folder.mkdir(parents=True, exist_ok=True)
    answers = _answers(answers_text)
    model = _brought(folder, model_file)
    sample = _brought(folder, sample_file) if sample_file else None
    intake = take_in(
        name=name,
        estimator=model.name,
        model=inspector.inspect(model),
        frames=_frames(reader, folder, answers, sample),
        sample_file=sample.name if sample else None,
        answers=answers,
    )
    (folder / FILE_NAME).write_text(intake.product_text)
    (folder / CONTRACT_NAME).write_text(intake.contract_text)
    with workspace.metadata.begin() as transaction:
        body = {"model": model.name, "missing": list(intake.missing)}
        transaction.log(product=name, kind="product declared", subject=name, body=body)
    return intake


def _answers(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    data, _ = parse_yaml(text, "answers")
    if not isinstance(data, dict):
        raise ProductFileInvalid(["expected a mapping of sections, as in product.yaml"], name="answers")
    return data


def _brought(folder: Path, file: Path) -> Path:
    """The file inside the folder; a product folder is whole, so that it can be moved and versioned."""
    inside = folder / file.name
    if file.resolve() != inside.resolve():
        shutil.copyfile(file, inside)
    return inside


def _frames(
    reader: SourceReader, folder: Path, answers: Mapping[str, Any] | None, sample: Path | None
) -> dict[str, pl.DataFrame]:
    declared = declared_sources(answers or {})
    if declared:
        return {
            name: read_whole(reader, name, Source.model_validate(body), folder)
            for name, body in declared.items()
        }
    if sample is None:
        return {}
    name = source_name(sample.name)
    return {name: read_whole(reader, name, Source(path=sample.name), folder)}
