"""Writes docs/reference/ from the code: `python tools/reference.py`; with `--check` it only says what is stale."""
# ruff: noqa: INP001 - a script beside the package, not a part of it

import inspect
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from seatrial import errors
from seatrial.cli.main import COMMANDS, main
from seatrial.facts.tables import TABLES
from seatrial.product.amounts import parse_budget, parse_duration, parse_share
from seatrial.product.schema import ProductFile
from seatrial.settings import read_settings
from seatrial.web.scoring.statuses import STATUS

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "reference"
_MADE = "Made by `tools/reference.py` from the code; `make docs` writes it anew.\n"
_TABLES_HEAD = """Each product has its own tables, called `<product>.<table>`, as Delta Lake tables (Parquet) in
`tables/` of the workspace. Times are UTC in microseconds. After the fixed columns follow, in `predictions`, a
`feature_<name>` for each column that is known at the decision (moments left out), and in `outcomes` an
`outcome_<name>` for each outcome column of the contract.
"""
_SHARED = ("folder", "workspace", "as_json", "debug")


def pages() -> dict[str, str]:
    """The text of every page, by file name."""
    return {
        "commands.md": commands_page(),
        "settings.md": settings_page(),
        "errors.md": errors_page(),
        "tables.md": tables_page(),
        "product-schema.json": schema_page(),
    }


def stale(folder: Path = FOLDER) -> list[str]:
    """Names of pages that differ from what the code says, are missing, or are left over."""
    wanted = pages()
    there = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*") if path.is_file()}
    return sorted(name for name in wanted.keys() | there.keys() if wanted.get(name) != there.get(name))


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every command and subcommand, as it is typed after `seatrial`."""
    context = click.Context(main)
    for name in COMMANDS:
        command = main.get_command(context, name)
        assert command is not None
        yield from _with_below(name, command)


def _with_below(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        for below, one in command.commands.items():
            yield from _with_below(f"{name} {below}", one)


def parameters(command: click.Command) -> list[click.Parameter]:
    """A command's own parameters, without the shared ones."""
    return [parameter for parameter in command.params if parameter.name not in _SHARED]


def commands_page() -> str:
    """The commands with their options."""
    every = list(commands())
    shared = [parameter for parameter in every[0][1].params if parameter.name in _SHARED]
    parts = [
        "# Commands\n",
        _MADE,
        "Every command takes these options; a command that ends with an error says what to do and has status 1.\n",
        _options(shared),
        "With `--json` standard output is JSON alone; progress goes to standard error.\n",
    ]
    for name, command in every:
        parts.append(f"## seatrial {name}\n\n{_sentence(command)}\n")
        own = parameters(command)
        if own:
            parts.append(_options(own))
    return "\n".join(parts)


def _sentence(command: click.Command) -> str:
    return " ".join((command.help or "").split())


def _options(parameters: list[click.Parameter]) -> str:
    rows = [(_spelled(one), _default(one), getattr(one, "help", None) or "") for one in parameters]
    return _table(("option", "default", "meaning"), rows)


def _spelled(parameter: click.Parameter) -> str:
    if isinstance(parameter, click.Argument):
        return f"`{str(parameter.name).upper()}`"
    takes_value = not getattr(parameter, "is_flag", False)
    return ", ".join(f"`{name}{' …' if takes_value else ''}`" for name in parameter.opts)


def _default(parameter: click.Parameter) -> str:
    if parameter.required:
        return "required"
    shown = bool(getattr(parameter, "show_default", False))
    return f"`{parameter.default}`" if shown else ""


def settings_page() -> str:
    """The workspace's settings."""
    values = read_settings({}, {}, folder=Path()).values
    options = {parameter.name for _, command in commands() for parameter in command.params}
    rows = [
        (
            f"`{name}`",
            f"`SEATRIAL_{name.upper()}`",
            f"`--{name.replace('_', '-')}`" if name in options else "",
            f"`{one.value}`" if one.value else "",
            one.meaning,
        )
        for name, one in values.items()
    ]
    table = _table(("setting", "variable", "option", "default", "meaning"), rows)
    rule = "An option stands before a variable, a variable before the default; `seatrial serve show` says which.\n"
    return f"# Settings\n\n{_MADE}\n{rule}\n{table}"


def errors_page() -> str:
    """Every error with its code."""
    kinds = [
        kind
        for kind in vars(errors).values()
        if inspect.isclass(kind)
        and issubclass(kind, errors.SeatrialError)
        and not kind.__name__.startswith("_")
    ]
    rows = [
        (
            f"`{kind.code}`",
            kind.__name__,
            "yes" if kind.retryable else "no",
            str(STATUS.get(kind, 500)),
            " ".join(str(kind.__doc__).split()),
        )
        for kind in kinds
    ]
    head = "A retry can help where `retryable` says yes. `status` is the HTTP status of the data plane.\n"
    return "\n".join(
        ["# Errors\n", _MADE, head, _table(("code", "class", "retryable", "status", "meaning"), rows)]
    )


def tables_page() -> str:
    """The tables that cross doors."""
    parts = ["# Tables\n", _MADE, _TABLES_HEAD]
    for name, columns in TABLES.items():
        rows = [(f"`{column.name}`", column.type, column.meaning) for column in columns]
        parts += [f"## {name}\n", _table(("column", "type", "meaning"), rows)]
    return "\n".join(parts)


def _drop_bounds(schema: Any) -> None:
    """Bounds of values that may be words too: JSON Schema has no keyword for them, pydantic leaves its own."""
    for part in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        _drop_bounds(part)
    if isinstance(schema, dict) and "anyOf" in schema:
        for name in ("gt", "ge", "lt", "le"):
            schema.pop(name, None)


class _AsPeopleWrite(GenerateJsonSchema):
    """The schema of the file as people write it: shares, durations and budgets as numbers or as words."""

    def function_before_schema(self, schema: core_schema.BeforeValidatorFunctionSchema) -> JsonSchemaValue:
        written = _WRITTEN.get(schema["function"]["function"])
        if written is not None:
            return {"anyOf": [{"type": "number"}, {"type": "string", "pattern": written}]}
        inner = super().function_before_schema(schema)
        if inner.get("const") == "no":  # YAML 1.1 reads an unquoted no as false
            return {"enum": ["no", False]}
        return inner


_WRITTEN: dict[Callable[..., Any], str] = {
    parse_share: r"^\s*\d+(\.\d+)?\s*%$",
    parse_duration: r"^\s*(1\s+per\s+)?\d+(\.\d+)?\s*(ms|s|min|m|h|d|w)\s*$",
    parse_budget: r"^\s*\d+(\.\d+)?\s+per\s+(day|week|month|year)\s*$",
}


def schema_page() -> str:
    """The JSON Schema of product.yaml, for editors."""
    schema = ProductFile.model_json_schema(by_alias=True, schema_generator=_AsPeopleWrite)
    _drop_bounds(schema)
    named = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "product.yaml"}
    return json.dumps(named, indent=2) + "\n"


def _table(headers: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [headers, tuple("---" for _ in headers), *rows]
    return (
        "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)
        + "\n"
    )


def run(arguments: list[str]) -> int:
    """Write the pages, or with `--check` say which are stale; the exit status."""
    if "--check" in arguments:
        found = stale()
        if found:
            sys.stderr.write(f"stale in docs/reference: {', '.join(found)}; `make docs` writes them anew\n")
        return 1 if found else 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
