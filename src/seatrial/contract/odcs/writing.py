"""A contract as the data of an ODCS document: what it was read from, changed only where the contract differs."""

from collections.abc import Iterable, Sequence
from typing import Any

from seatrial.contract.model import ColumnContract, Contract, TableContract
from seatrial.contract.odcs import quality, relationships, service_levels
from seatrial.contract.odcs.columns import change_column
from seatrial.contract.odcs.extras import Fragment, plain, put, set_extra
from seatrial.contract.odcs.findings import Fact, Slot
from seatrial.contract.odcs.quality import written_rule
from seatrial.contract.odcs.reading import interpret
from seatrial.contract.odcs.relationships import written_relationship
from seatrial.contract.odcs.service_levels import written_level

_MODELLED = {
    "quality": quality.MODELLED,
    "relationships": relationships.MODELLED,
    "slaProperties": service_levels.MODELLED,
}
_ORDER = (
    "name",
    "description",
    "logicalType",
    "logicalTypeOptions",
    "primaryKey",
    "primaryKeyPosition",
    "required",
    "unique",
    "classification",
    "properties",
    "relationships",
    "quality",
    "customProperties",
)


def change_document(data: dict[str, Any], contract: Contract) -> None:
    """Make a document say what the contract says; all that it does not speak of stays as it is."""
    base = interpret(data)
    for field in ("id", "version", "status"):
        if getattr(base.contract, field) != getattr(contract, field):
            data[field] = getattr(contract, field)
    if base.contract.description != contract.description:
        about = dict(data.get("description") or {})
        put(about, "purpose", contract.description or None)
        put(data, "description", about or None)
    _change_tables(data, base.contract, base.slots, contract)


def _change_tables(data: dict[str, Any], base: Contract, slots: Sequence[Slot], contract: Contract) -> None:
    pairs = _pairs([one.name for one in base.tables], [one.name for one in contract.tables])
    schema, levels, gone = (
        data.get("schema") or [],
        [],
        {id(slot.part) for slot in slots if slot.section == "slaProperties"},
    )
    written = []
    for old, table in zip(pairs, contract.tables, strict=True):
        part = {"name": table.name, "logicalType": "object"} if old is None else schema[old]
        mine = [] if old is None else [slot for slot in slots if slot.table == old]
        levels += _change_table(part, None if old is None else base.tables[old], table, mine, data)
        written.append(part)
    data["schema"] = written
    kept = {index for index in pairs if index is not None}
    stays = [slot.part for slot in slots if slot.section == "slaProperties" and slot.table == -1]
    _put_levels(data, gone, [*stays, *levels], orphans=len(kept) < len(base.tables))


def _put_levels(data: dict[str, Any], known: set[int], kept: Sequence[Fragment], *, orphans: bool) -> None:
    """Service levels in their old order, without those of tables that are gone, then the new ones."""
    before = data.get("slaProperties") or []
    order = {id(part): place for place, part in enumerate(before)}
    after = sorted(kept, key=lambda part: order.get(id(part), len(order)))
    if orphans or [id(one) for one in after] != [id(one) for one in before if id(one) in known]:
        put(data, "slaProperties", after or None)


def _pairs(before: Sequence[str], after: Sequence[str]) -> list[int | None]:
    """For each name the place it had: by name, or, for a new name, the same place when its old name is gone."""
    return [
        before.index(name)
        if name in before
        else place
        if len(before) == len(after) and before[place] not in after
        else None
        for place, name in enumerate(after)
    ]


def _change_table(
    part: Fragment,
    base: TableContract | None,
    table: TableContract,
    slots: Sequence[Slot],
    data: dict[str, Any],
) -> list[Fragment]:
    """Change the table's part in place; gives its service levels."""
    part["name"] = table.name
    if (base.description if base else "") != table.description:
        put(part, "description", table.description or None)
    if base is None or base.stop_above != table.stop_above:
        set_extra(part, "stopAbove", plain(table.stop_above))
    pairs = _pairs([one.name for one in base.columns] if base else [], [one.name for one in table.columns])
    old_columns = part.get("properties") or []
    columns = [{} if old is None else old_columns[old] for old in pairs]
    places = {old: new for new, old in enumerate(pairs) if old is not None}
    for column, old, one in zip(columns, pairs, table.columns, strict=True):
        before = base.columns[old] if base and old is not None else None
        change_column(column, before, one, old_bounds=str(data.get("apiVersion")).startswith("v3.0"))
    put(part, "properties", columns)
    _change_primary_key(columns, base, table)
    levels = _change_lists(part, columns, base, table, slots, places)
    for index, (column, old) in enumerate(zip(columns, pairs, strict=True)):
        if old is None:
            columns[index] = _ordered(column)
    if base is None:
        ordered = _ordered(part)
        part.clear()
        part.update(ordered)
    return levels


def _ordered(part: Fragment) -> Fragment:
    return {
        key: part[key] for key in sorted(part, key=lambda key: _ORDER.index(key) if key in _ORDER else 99)
    }


def _change_primary_key(
    columns: Sequence[Fragment], base: TableContract | None, table: TableContract
) -> None:
    if table.primary_key == (base.primary_key if base else ()):
        return
    for part, column in zip(columns, table.columns, strict=True):
        at = table.primary_key.index(column.name) + 1 if column.name in table.primary_key else None
        if part.get("primaryKey") and column.required:
            part["required"] = True
        put(part, "primaryKey", True if at else None)
        put(part, "primaryKeyPosition", at if len(table.primary_key) > 1 else None)


def _change_lists(
    part: Fragment,
    columns: Sequence[Fragment],
    base: TableContract | None,
    table: TableContract,
    slots: Sequence[Slot],
    places: dict[int, int],
) -> list[Fragment]:
    """Rewrite quality, relationships and service levels where what they state has changed."""
    alive = [slot for slot in slots if slot.column is None or slot.column in places]
    wanted = list(_wanted(base, table, alive, places))
    lists: dict[tuple[str, int | None], list[Fragment]] = {}
    taken = _taken(alive, wanted)
    for slot, fate in zip(alive, taken, strict=True):
        key = (slot.section, None if slot.column is None else places[slot.column])
        lists.setdefault(key, [])
        if fate is not None:
            lists[key].append(_changed_part(slot, fate, table, at_column=slot.column is not None))
    for fact in wanted:
        key, new = _new_part(fact, table)
        lists.setdefault(key, []).append(new)
    for (section, place), parts in lists.items():
        owner = part if place is None else columns[place]
        if section != "slaProperties":
            put(owner, section, parts or None)
    return lists.get(("slaProperties", None), [])


def _taken(slots: Sequence[Slot], wanted: list[Fact]) -> list[tuple[Fact, ...] | None]:
    """What each part states from now on, None when it goes; takes those facts out of `wanted`."""
    fates: list[tuple[Fact, ...] | None] = [() if not slot.facts else None for slot in slots]
    for index, slot in enumerate(slots):
        if slot.facts and all(fact in wanted for fact in slot.facts):
            fates[index] = slot.facts
            for fact in slot.facts:
                wanted.remove(fact)
    for index, slot in enumerate(slots):
        if fates[index] is None and len(slot.facts) == 1:
            old = slot.facts[0]
            successor = next((new for new in wanted if _succeeds(new, old, slot)), None)
            if successor is not None:
                fates[index] = (successor,)
                wanted.remove(successor)
    return fates


def _succeeds(new: Fact, old: Fact, slot: Slot) -> bool:
    if new.kind != old.kind or new.kind == "unique_together":
        return False
    if slot.section == "slaProperties" and new.kind != "freshness":
        return False
    return new.identity == old.identity


def _changed_part(slot: Slot, facts: tuple[Fact, ...], table: TableContract, *, at_column: bool) -> Fragment:
    if facts == slot.facts:
        return slot.part
    new = _written(facts[0], table, at_column=at_column)
    severity = (new.pop("customProperties", None) or [{}])[0].get("value")
    kept = {key: value for key, value in slot.part.items() if key not in _MODELLED[slot.section]}
    if slot.section == "relationships" and at_column:
        new.pop("from")
    if slot.section == "slaProperties":
        new.pop("property")
    changed = kept | new
    if slot.section != "quality":
        set_extra(changed, "severity", severity)
    return changed


def _written(fact: Fact, table: TableContract, *, at_column: bool) -> Fragment:
    if fact.kind == "foreign_key":
        return written_relationship(fact.value, table.name)
    if fact.kind == "freshness":
        return written_level(fact.value, table.name)
    return written_rule(fact, at_column=at_column)


def _new_part(fact: Fact, table: TableContract) -> tuple[tuple[str, int | None], Fragment]:
    section = {"foreign_key": "relationships", "freshness": "slaProperties"}.get(fact.kind, "quality")
    home = fact.column
    if fact.kind == "set_rule" and len(fact.value.columns) == 1:
        home = fact.value.columns[0]
    names = [column.name for column in table.columns]
    place = names.index(home) if home in names else None
    return (section, place), _written(fact, table, at_column=place is not None)


def _wanted(
    base: TableContract | None, table: TableContract, slots: Sequence[Slot], places: dict[int, int]
) -> Iterable[Fact]:
    """All facts that the lists must state: those of the table, and of its columns where no field states them."""
    stated = any(fact.kind == "minimum_rows" for slot in slots for fact in slot.facts)
    # A new rule of that kind would be read as the least number of rows if none were stated before it.
    known = base.set_rules if base else ()
    new = [rule for rule in table.set_rules if rule not in known]
    least = any(rule.metric == "rowCount" and "Greater" in rule.operator for rule in new)
    if base is None or stated or table.minimum_rows != base.minimum_rows or least:
        yield Fact("minimum_rows", None, table.minimum_rows)
    yield from (Fact("unique_together", None, group) for group in table.unique)
    yield from (Fact("set_rule", None, rule) for rule in table.set_rules)
    yield from (Fact("row_rule", None, rule) for rule in table.row_rules)
    yield from (Fact("foreign_key", None, key) for key in table.foreign_keys)
    yield from (Fact("freshness", None, age) for age in table.freshness)
    for slot in slots:
        if slot.column is not None and base is not None:
            column, before = table.columns[places[slot.column]], base.columns[slot.column]
            yield from (fact for fact in slot.facts if fact.column and _still(fact, before, column))
    yield from _closed_sets(base, table, slots, places)


def _still(fact: Fact, before: ColumnContract, column: ColumnContract) -> bool:
    """Whether a quality rule of a column still holds as it is."""
    if fact.kind == "values":
        return (before.values, before.severity) == (column.values, column.severity)
    said = {"required": column.required, "unique": column.unique}
    return before.pattern == column.pattern if fact.kind == "pattern" else said[fact.kind]


def _closed_sets(
    base: TableContract | None, table: TableContract, slots: Sequence[Slot], places: dict[int, int]
) -> Iterable[Fact]:
    """Closed sets that changed, except where the property's own `enum` states them."""
    before = {places[index]: one for index, one in enumerate(base.columns) if index in places} if base else {}
    ruled = {
        places[slot.column]
        for slot in slots
        if slot.column is not None
        for fact in slot.facts
        if fact.kind == "values"
    }
    for place, column in enumerate(table.columns):
        old = before.get(place)
        fresh = old is None or (old.values, old.severity) != (column.values, column.severity)
        by_enum = old is not None and old.values is not None and place not in ruled
        if column.values is not None and fresh and not by_enum:
            yield Fact("values", column.name, (column.values, column.severity))
