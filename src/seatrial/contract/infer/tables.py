"""What samples of whole tables suggest: columns, keys, references between tables, drift budgets."""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence

import msgspec
import polars as pl

from seatrial.contract.casting import cast_column
from seatrial.contract.infer.columns import ENOUGH_ROWS, column_type, infer_column, optional
from seatrial.contract.model import ColumnContract, Contract, ForeignKey, Role, TableContract
from seatrial.contract.profile import distance, profile_table
from seatrial.contract.zones import in_zone
from seatrial.errors import DataRefused

_FIRST_VERSION = "0.1.0"
# Which zone times are in that say none is for people to tell; their distribution hardly depends on it.
_ASSUMED_ZONE = "UTC"
_KEY_ENDINGS = ("id", "key", "number", "uuid")
_BLOCKS = 10
_ROWS_PER_BLOCK = 200
# A budget that large would let anything pass, so it is left to people.
_LARGEST_BUDGET = 0.5
# Less is nothing that anybody would act on.
_SMALLEST_BUDGET = 0.05


def infer_table(
    name: str,
    frame: pl.DataFrame,
    *,
    roles: Mapping[str, Role],
    unique: Sequence[tuple[str, ...]] = (),
    required: Collection[str] | None = None,
) -> TableContract:
    """The contract that a sample suggests for the columns in `roles`, in the order of the sample.

    `unique` are sets of columns that would make sense as keys: those without repetition in the sample become
    rules. Only columns in `required` (by default all) may be found to be required. Closed sets of values and
    bounds on weak evidence are warnings: a new category is news, not an error. Features and columns without a part
    to play get drift budgets. Raises DataRefused for columns of a type no contract has.
    """
    return _budgeted(_infer(name, frame, roles, unique, required, texts=False), frame)


def infer_contract(name: str, frames: Mapping[str, pl.DataFrame]) -> Contract:
    """A draft over all tables, from samples alone: types, bounds, keys, references, drift budgets.

    What columns are for and how they depend on each other is left to people. Raises DataRefused for columns of a
    type no contract has.
    """
    tables = {
        table: _budgeted(_keyed(table, frame), in_zone(frame, _ASSUMED_ZONE))
        for table, frame in frames.items()
        if frame.width
    }
    linked = (_linked(table, frames, tables) for table in tables.values())
    return Contract(id=name, version=_FIRST_VERSION, status="draft", tables=tuple(linked))


def _infer(
    name: str,
    frame: pl.DataFrame,
    roles: Mapping[str, Role],
    unique: Sequence[tuple[str, ...]],
    required: Collection[str] | None,
    *,
    texts: bool,
) -> TableContract:
    chosen = [column for column in frame.columns if column in roles]
    _refuse_unfit(name, frame, roles, texts=texts)
    columns = [infer_column(frame[column], roles[column], texts=texts) for column in chosen]
    if required is not None:
        columns = [column if column.name in required else _optional(column) for column in columns]
    alone = {group[0] for group in unique if len(group) == 1 and _is_key(frame, group)}
    return TableContract(
        name=name,
        columns=tuple(msgspec.structs.replace(one, unique=one.name in alone) for one in columns),
        unique=tuple(group for group in unique if len(group) > 1 and _is_key(frame, group)),
    )


def _refuse_unfit(name: str, frame: pl.DataFrame, roles: Mapping[str, Role], *, texts: bool) -> None:
    missing = [column for column in roles if column not in frame.columns]
    odd = [
        f"{column} ({frame.schema[column]})"
        for column in frame.columns
        if column in roles and column_type(frame[column], texts=texts) is None
    ]
    problems = [f"no column {', '.join(missing)}; it has {', '.join(frame.columns)}"] if missing else []
    problems += [f"columns of a type that no contract has: {', '.join(odd)}"] if odd else []
    if problems:
        raise DataRefused(f"source {name}: {'; '.join(problems)}")


def _optional(column: ColumnContract) -> ColumnContract:
    return msgspec.structs.replace(column, required=False) if optional(column) else column


def _is_key(frame: pl.DataFrame, group: Sequence[str]) -> bool:
    keys = frame.select(group).drop_nulls()
    return keys.height >= ENOUGH_ROWS and not keys.is_duplicated().any()


def _keyed(name: str, frame: pl.DataFrame) -> TableContract:
    """The table with a primary key where one column without gaps and repetition sounds like one."""
    possible = [
        column
        for column in frame.columns
        if column_type(frame[column], texts=True) in ("string", "int")
        and not frame[column].null_count()
        and _is_key(frame, (column,))
    ]
    sounding = [column for column in possible if column.lower().endswith(_KEY_ENDINGS)]
    key = next(iter([*sounding, *(one for one in possible if frame.schema[one] == pl.String)]), None)
    roles: dict[str, Role] = {one: "key" if one == key else "other" for one in frame.columns}
    table = _infer(name, frame, roles, [(one,) for one in sounding], None, texts=True)
    if key is None:
        return table
    told = f"no value twice in {frame.height} sample rows, so it is proposed as the key"
    columns = tuple(_told(one, told) if one.name == key else one for one in table.columns)
    return msgspec.structs.replace(table, columns=columns, primary_key=(key,))


def _told(column: ColumnContract, words: str) -> ColumnContract:
    return msgspec.structs.replace(
        column, evidence=f"{column.evidence}; {words}" if column.evidence else words
    )


def _linked(
    table: TableContract, frames: Mapping[str, pl.DataFrame], tables: Mapping[str, TableContract]
) -> TableContract:
    """The table with references to keys of other tables in which all of its values are found."""
    keys, columns = [], list(table.columns)
    for index, column in enumerate(table.columns):
        for other, to in _targets(table, column, frames, tables):
            distinct = frames[table.name][column.name].drop_nulls().n_unique()
            keys.append(ForeignKey(columns=(column.name,), table=other, to=(to,)))
            columns[index] = _told(columns[index], f"all of its {distinct} values are in {other}.{to}")
    return msgspec.structs.replace(table, columns=tuple(columns), foreign_keys=tuple(keys))


def _targets(
    table: TableContract,
    column: ColumnContract,
    frames: Mapping[str, pl.DataFrame],
    tables: Mapping[str, TableContract],
) -> Iterator[tuple[str, str]]:
    values = frames[table.name][column.name].drop_nulls().unique()
    if column.type not in ("string", "int") or len(values) < ENOUGH_ROWS:
        return
    for other in tables.values():
        for to in other.columns:
            if (
                other.name == table.name
                or to.type != column.type
                or not _is_key(frames[other.name], (to.name,))
            ):
                continue
            target = frames[other.name][to.name].cast(values.dtype, strict=False)
            # Small whole numbers are found in any running number: texts, or names that agree, say more.
            meant = column.type == "string" or column.name == to.name or column.name.startswith(other.name)
            if meant and values.is_in(target.implode()).all():
                yield other.name, to.name


def _budgeted(table: TableContract, frame: pl.DataFrame) -> TableContract:
    """The table with drift budgets: twice the largest distance of a tenth of the sample from the rest before it."""
    size = frame.height // _BLOCKS
    if size < _ROWS_PER_BLOCK:
        return table
    typed = _typed(table, frame)
    whole = profile_table(typed, table)
    blocks = [profile_table(typed.slice(size * index, size), table) for index in range(_BLOCKS)]
    furthest = {
        column.name: max(distance(block.columns[index], column) for block in blocks)
        for index, column in enumerate(whole.columns)
    }
    columns = (
        _budget(one, furthest[one.name]) if one.name in furthest and _drifts(table, one) else one
        for one in table.columns
    )
    return msgspec.structs.replace(table, columns=tuple(columns))


def _drifts(table: TableContract, column: ColumnContract) -> bool:
    """Whether another distribution of the column would be news: keys and times always move on."""
    named = {*table.primary_key, *(one.name for one in table.columns if one.unique)}
    if column.name in named or column.role not in ("feature", "other"):
        return False
    # One severity holds for bounds and budget: where bounds put rows aside, a drift would stop whole loads.
    if column.severity == "error" and (column.minimum is not None or column.maximum is not None):
        return False
    return column.type in ("string", "float", "int", "bool")


def _budget(column: ColumnContract, furthest: float) -> ColumnContract:
    budget = max(math.ceil(200 * furthest) / 100, _SMALLEST_BUDGET)
    if not 0 < furthest <= budget <= _LARGEST_BUDGET:
        return column
    told = (
        f"a tenth of the sample lay up to {furthest:.2g} from the whole; the drift budget is double that, "
        f"at least {_SMALLEST_BUDGET}"
    )
    return _told(msgspec.structs.replace(column, drift_budget=budget, severity="warning"), told)


def _typed(table: TableContract, frame: pl.DataFrame) -> pl.DataFrame:
    """The columns that can be read as their type."""
    casts = {one.name: cast_column(one.name, one.type, frame.schema[one.name]) for one in table.columns}
    return frame.select(cast.value.alias(name) for name, cast in casts.items() if not isinstance(cast, str))
