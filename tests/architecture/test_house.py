"""The house: which folders there are, what may lie in them, and what the wheel takes along."""

import ast
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

import seatrial

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "seatrial"
# Names that say nothing of what belongs there, and so take in everything.
NAMELESS = {"base", "common", "core", "helpers", "lib", "misc", "shared", "util", "utils"}
LIGHT_INIT_LINES = 40


def sources(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.py") if "__pycache__" not in path.parts)


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.mark.parametrize("folder", ["src", "tests", "examples", "benchmarks"])
def test_no_file_or_folder_has_a_name_that_says_nothing(folder: str) -> None:
    nameless = [
        path.relative_to(ROOT)
        for path in sources(ROOT / folder)
        if NAMELESS & {*path.relative_to(ROOT).with_suffix("").parts}
    ]
    assert not nameless


def test_every_folder_with_code_is_a_package_that_says_what_it_is_for() -> None:
    folders = {path.parent for path in sources(PACKAGE)}
    silent = [
        str(folder.relative_to(ROOT))
        for folder in sorted(folders)
        if not (folder / "__init__.py").is_file()
        or not ast.get_docstring(ast.parse((folder / "__init__.py").read_text()))
    ]
    assert not silent


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in sources(PACKAGE)
        if not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert not silent


def test_package_files_stay_light() -> None:
    heavy = [
        str(path.relative_to(ROOT))
        for path in PACKAGE.rglob("__init__.py")
        if len(path.read_text().splitlines()) > LIGHT_INIT_LINES
        or any(isinstance(node, ast.FunctionDef | ast.ClassDef) for node in ast.parse(path.read_text()).body)
    ]
    assert not heavy


def test_the_version_is_said_once_and_the_same() -> None:
    assert project()["project"]["version"] == seatrial.__version__


def test_the_package_says_that_it_is_typed() -> None:
    assert (PACKAGE / "py.typed").is_file()


def test_the_wheel_takes_the_examples_along() -> None:
    wheel = project()["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert "examples" in wheel["only-include"]
    assert wheel["sources"]["examples"] == "seatrial/examples"
    assert (ROOT / "examples").is_dir()


def test_no_dependency_is_held_back_without_a_reason() -> None:
    """An upper bound needs a comment on the line above it."""
    lines = (ROOT / "pyproject.toml").read_text().splitlines()
    bounds = [number for number, line in enumerate(lines) if re.match(r'\s+"[\w.\[\]-]+[^"]*(<|==|~=)', line)]
    assert bounds, "protobuf is held back: this test must see it"
    assert all(lines[number - 1].lstrip().startswith("#") for number in bounds)


def test_the_constraints_pin_every_line_and_name_no_place() -> None:
    pin = re.compile(r"^[A-Za-z0-9_.-]+==[A-Za-z0-9_.+!-]+$")
    loose = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not pin.match(line)]
    assert not loose


def test_every_ignored_rule_has_a_reason() -> None:
    after = (ROOT / "pyproject.toml").read_text().split("\nignore = [", 1)[1]
    lint = after.split("[tool.ruff.lint.flake8", 1)[0]
    rules = [line for line in lint.splitlines() if re.match(r'\s+"[A-Z]+\d*",', line)]
    assert rules
    assert not [line for line in rules if "#" not in line]


def test_every_waiver_in_the_source_names_its_rule_and_its_reason() -> None:
    waiver = re.compile(r"#\s*(noqa|type:\s*ignore)(.*)$")
    unexplained = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in sources(PACKAGE)
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if (found := waiver.search(line)) and not re.match(r"(: [A-Z]+\d+|\[[\w, -]+\]).*\S \S", found[2])
    ]
    assert not unexplained
