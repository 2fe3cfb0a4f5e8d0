"""Nothing is there that the handwritten documentation does not mention, and nothing is mentioned that is not there."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import BaseModel

from seatrial import errors
from seatrial.product.schema import ProductFile
from seatrial.product.yaml_lines import parse_yaml
from seatrial.settings import read_settings
from seatrial.web.scoring.statuses import STATUS
from tools.reference import commands

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
# What people wrote: the generated pages mention everything by themselves, and decisions tell of their day.
WRITTEN = sorted(
    path for path in DOCS.rglob("*.md") if not {"reference", "decisions"} & set(path.relative_to(DOCS).parts)
)
PAGES = [*WRITTEN, *(ROOT / name for name in ("ARCHITECTURE.md", "CHANGELOG.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#\s]+)(#[^)]*)?\)")


def text_of(paths: list[Path]) -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in paths)


def fields(model: type[BaseModel], above: str = "") -> Iterator[str]:
    """The paths of all fields as they are written in a product file; `<name>` where people choose the name."""
    for name, field in model.model_fields.items():
        path = f"{above}{field.alias or name}"
        yield path
        for inner in models_in(field.annotation):
            named = "mapping" if "dict" in str(field.annotation) else "section"
            yield from fields(inner, f"{path}.<name>." if named == "mapping" else f"{path}.")


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from models_in(part)


def shown_commands() -> Iterator[tuple[str, list[str]]]:
    """The `seatrial …` lines of the code blocks, with the page that shows them."""
    for path in PAGES:
        for _, block in FENCE.findall(path.read_text(encoding="utf-8")):
            joined = block.replace("\\\n", " ")
            for line in joined.splitlines():
                words = line.removeprefix("$ ").strip()
                if words.startswith("seatrial "):
                    yield path.name, shlex.split(words, comments=True)[1:]


def test_every_command_is_in_the_documentation() -> None:
    text = text_of(WRITTEN)
    assert [name for name, _ in commands() if not re.search(rf"seatrial {name}\b", text)] == []


def test_every_setting_is_in_the_chapter_about_the_workspace() -> None:
    text = (DOCS / "workspace.md").read_text(encoding="utf-8")
    assert [name for name in read_settings({}, {}).values if f"`{name}`" not in text] == []


def test_every_error_is_in_the_chapter_about_http_with_its_status() -> None:
    text = (DOCS / "http.md").read_text(encoding="utf-8")
    lines = {kind.code: f"| {status} | `{kind.code}` |" for kind, status in STATUS.items()}
    assert [code for code, line in lines.items() if line not in text] == []


def test_every_error_class_has_a_status_to_be_documented_with() -> None:
    kinds = {one for one in vars(errors).values() if isinstance(one, type) and hasattr(one, "code")}
    assert {one for one in kinds if not one.__name__.startswith("_")} - {errors.SeatrialError} == set(STATUS)


def test_every_field_of_a_product_file_is_in_its_chapter() -> None:
    text = (DOCS / "product-file.md").read_text(encoding="utf-8")
    assert [path for path in fields(ProductFile) if f"`{path}`" not in text] == []


def test_the_chapter_about_the_product_file_names_no_field_that_is_not_there() -> None:
    text = (DOCS / "product-file.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z_.<>]+)` \|", text, re.MULTILINE)
    assert rows
    assert [path for path in rows if path not in set(fields(ProductFile))] == []


@pytest.mark.parametrize(
    "words", list(shown_commands()), ids=lambda words: " ".join(words[1][:3]) + f" ({words[0]})"
)
def test_a_command_that_is_shown_is_there_with_its_options(words: tuple[str, list[str]]) -> None:
    _, given = words
    known = dict(commands())
    name = next((n for n in (" ".join(given[:3]), " ".join(given[:2]), given[0]) if n in known), None)
    if given[0].startswith("-"):
        assert given[0] in ("--help", "-h", "--version")
        return
    assert name is not None, f"no command {given[0]}"
    options = {spelled for parameter in known[name].params for spelled in parameter.opts} | {"--help", "-h"}
    assert [word for word in given if word.startswith("-") and word.split("=")[0] not in options] == []


def test_commands_are_shown() -> None:
    assert len(list(shown_commands())) > 10


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_page_links_to_is_there(path: Path) -> None:
    links = [found[0] for found in LINK.findall(path.read_text(encoding="utf-8"))]
    local = [link for link in links if not link.startswith(("http://", "https://", "mailto:"))]
    assert [link for link in local if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_yaml_that_is_shown_can_be_read(path: Path) -> None:
    for language, block in FENCE.findall(path.read_text(encoding="utf-8")):
        if language == "yaml":
            yaml.safe_load(block)


def test_the_whole_product_file_that_is_shown_is_one() -> None:
    text = (DOCS / "product-file.md").read_text(encoding="utf-8")
    whole = [
        block
        for language, block in FENCE.findall(text)
        if language == "yaml" and block.startswith("product:")
    ]
    assert whole
    for block in whole:
        ProductFile.model_validate(parse_yaml(block, "product-file.md")[0])


def test_every_page_is_in_the_table_of_contents() -> None:
    text = (DOCS / "README.md").read_text(encoding="utf-8")
    pages = [str(path.relative_to(DOCS)) for path in WRITTEN if path.name != "README.md"]
    assert [page for page in pages if f"({page})" not in text] == []
