import polars as pl

from seatrial.contract.model import ColumnContract, TableContract
from seatrial.contract.profile import profile_table
from seatrial.data.comparison import Comparison, State, changed_rules, compared
from seatrial.facts.snapshot import RuleResult

TABLE = TableContract(
    name="parcels",
    columns=(
        ColumnContract(name="id", type="string", role="key", unique=True),
        ColumnContract(name="weight", type="float"),
        ColumnContract(name="city", type="string"),
    ),
)


def parcels(*rows: tuple[str | None, float | None, str]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={"id": pl.String, "weight": pl.Float64, "city": pl.String}, orient="row")


def state(frame: pl.DataFrame, *, rules: tuple[RuleResult, ...] = (), profiled: bool = True) -> State:
    profile = profile_table(frame, TABLE) if profiled else None
    return State(id="x", frame=frame, profile=profile, rules=rules, contract_version="1.0.0")


def change(old: pl.DataFrame, new: pl.DataFrame, *key: str) -> Comparison:
    return compared("parcels", state(old), state(new), key=key)


OLD = parcels(("a", 1.0, "Ulm"), ("b", 2.0, "Ulm"), ("c", None, "Bonn"))


def test_rows_of_one_key_are_the_same_row() -> None:
    found = change(OLD, parcels(("b", 2.5, "Ulm"), ("c", None, "Bonn"), ("d", 4.0, "Ulm")), "id")
    rows = found.rows
    assert (rows.before, rows.after, rows.added, rows.removed, rows.changed) == (3, 3, 1, 1, 1)
    assert {column.name: column.changed for column in found.columns} == {"id": 0, "weight": 1, "city": 0}


def test_equal_values_are_no_change_also_where_they_are_missing_or_not_a_number() -> None:
    odd = parcels(("a", float("nan"), "Ulm"), ("b", None, "Ulm"))
    assert change(odd, odd, "id").rows.changed == 0
    assert change(odd, parcels(("a", None, "Ulm"), ("b", None, "Ulm")), "id").rows.changed == 1


def test_without_a_key_equal_rows_are_the_same_row() -> None:
    found = change(OLD, parcels(("a", 1.0, "Ulm"), ("b", 9.0, "Ulm")))
    assert (found.rows.added, found.rows.removed, found.rows.changed) == (1, 2, None)
    assert found.columns[0].changed is None


def test_a_key_that_is_repeated_or_missing_is_not_trusted() -> None:
    twice = parcels(("a", 1.0, "Ulm"), ("a", 2.0, "Ulm"))
    for other in (twice, parcels((None, 1.0, "Ulm"))):
        found = change(OLD, other, "id")
        assert "missing or repeated" in found.rows.note
        assert found.rows.key == ()
    assert "not in both" in change(OLD, OLD.drop("id"), "id").rows.note


def test_columns_that_came_or_went_are_named_and_others_still_compared() -> None:
    found = change(OLD, OLD.drop("city").with_columns(size=pl.lit(1.0)), "id")
    assert (found.added_columns, found.removed_columns) == (("size",), ("city",))
    assert found.rows.changed == 0


def test_a_column_that_changed_its_type_is_compared_by_what_is_written() -> None:
    new = OLD.with_columns(pl.col("weight").cast(pl.Int64))
    assert {c.name: c.changed for c in change(OLD, new, "id").columns}["weight"] == 2


def test_the_most_moved_column_comes_first_with_its_new_categories() -> None:
    new = parcels(("a", 1.0, "Kiel"), ("b", 2.0, "Kiel"), ("c", None, "Bonn"))
    first = change(OLD, new, "id").columns[0]
    assert (first.name, first.appeared, first.vanished) == ("city", ("Kiel",), ("Ulm",))
    assert first.distance is not None
    assert first.distance > 0.6


def test_where_rows_only_came_the_new_ones_are_held_against_the_old_ones() -> None:
    old = parcels(*((str(i), 1.0, "Ulm") for i in range(90)))
    new = pl.concat([old, parcels(*((str(i), None, "Ulm") for i in range(90, 100)))])
    found = change(old, new, "id")
    weight = next(column for column in found.columns if column.name == "weight")
    assert (found.fresh, weight.missing, weight.distance) == (10, (0.0, 1.0), 1.0)


def test_no_category_of_a_hidden_column_is_told() -> None:
    new = OLD.with_columns(city=pl.lit("Kiel"))
    found = compared("parcels", state(OLD), state(new), key=["id"], hidden={"city"})
    city = next(column for column in found.columns if column.name == "city")
    assert (city.appeared, city.vanished, city.changed) == ((), (), 3)


def test_without_profiles_rows_are_still_compared() -> None:
    found = compared("parcels", state(OLD, profiled=False), state(OLD), key=["id"])
    assert [column.distance for column in found.columns] == [None] * 3


def test_rules_that_fare_otherwise_are_told_also_those_that_are_new() -> None:
    old = [
        RuleResult(source="s", rule="a", rows=10, failed=0),
        RuleResult(source="s", rule="b", rows=10, failed=1),
    ]
    new = [
        RuleResult(source="s", rule="a", rows=12, failed=3),
        RuleResult(source="s", rule="c", rows=12, failed=0),
    ]
    assert [(one.rule, one.before, one.after) for one in changed_rules(old, new)] == [
        ("a", (0, 10), (3, 12)),
        ("b", (1, 10), None),
        ("c", None, (0, 12)),
    ]
    assert changed_rules(old, old) == ()
