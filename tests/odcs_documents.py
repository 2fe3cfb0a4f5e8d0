"""Strategies for contracts of every kind of rule, and for rich documents of the Open Data Contract Standard."""

import math
from typing import Any, get_args

import msgspec
from hypothesis import strategies as st

from seatrial.contract.model import (
    ColumnContract,
    Contract,
    ForeignKey,
    Freshness,
    Operator,
    Role,
    RowRule,
    SetRule,
    TableContract,
    TypeName,
)
from seatrial.contract.sanity import contract_problems

WORDS = st.sampled_from(
    ["", "plain", "NO", "yes", "2024-05-01", "12:30", "1e3", "010", "~", "a: b", "é\u2028x", "{a}", "#"]
)
NAMES = st.sampled_from(["id", "city", "amount", "at", "on", "NO", "wind_speed", "größe", "y", "a b"])
SEVERITIES = st.sampled_from(["error", "warning"])
ID = st.sampled_from(["one", "two-3", "x_y"])
TAGS = st.lists(WORDS, max_size=2)
ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-2, 2) | WORDS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(ID, inner, max_size=2),
    max_leaves=3,
)


@st.composite
def rich_columns(draw: st.DrawFn, name: str) -> ColumnContract:
    kind: TypeName = draw(st.sampled_from(get_args(TypeName)))
    rules: dict[str, Any] = {}
    if kind in ("float", "int"):
        low, high = sorted([math.floor(draw(st.floats(-1e6, 1e6))), math.ceil(draw(st.floats(-1e6, 1e6)))])
        low_name, high_name = (
            draw(st.sampled_from(["", "exclusive_"])),
            draw(st.sampled_from(["", "exclusive_"])),
        )
        rules |= draw(st.sampled_from([{}, {f"{low_name}minimum": float(low) - 1}]))
        rules |= draw(st.sampled_from([{}, {f"{high_name}maximum": float(high) + 1.5}]))
        rules |= draw(st.sampled_from([{}, {"multiple_of": 0.5}, {"multiple_of": 2.0}]))
    if kind == "string" and draw(st.booleans()):
        rules["values"] = tuple(draw(st.lists(WORDS, min_size=1, max_size=3, unique=True)))
    elif kind == "string":
        rules |= draw(st.sampled_from([{}, {"pattern": r"[a-c]*"}, {"format": "email"}, {"min_length": 1}]))
        rules |= draw(st.sampled_from([{}, {"max_length": 9}]))
    role = draw(st.sampled_from(get_args(Role)))
    return ColumnContract(
        name=name,
        type=kind,
        role=role,
        stages=draw(st.sampled_from([(), ("training",), ("training", "outcome")])),
        required=draw(st.booleans()),
        unique=draw(st.booleans()),
        severity=draw(SEVERITIES),  # type: ignore[arg-type]  # drawn from the severities
        stop_above=draw(st.sampled_from([(), (("required", 0.25),), (("type", 0.0), ("unique", 1.0))])),
        drift_budget=draw(st.none() | st.floats(0, 1)),
        classification=draw(st.none() | st.just("restricted")),
        description=draw(WORDS),
        evidence=draw(WORDS),
        **rules,
    )


@st.composite
def set_rules(draw: st.DrawFn, columns: tuple[str, ...], name: str) -> SetRule:
    metric = draw(st.sampled_from(["rowCount", "nullValues", "duplicateValues", "invalidValues", "sql"]))
    operator: Operator = draw(st.sampled_from(get_args(Operator)))
    low = draw(st.integers(1, 9))  # 0 would say the same as a rule of the column
    about = {"rowCount": (), "sql": ()}.get(metric, columns[:1])
    return SetRule(
        name=name,
        metric=metric,  # type: ignore[arg-type]  # drawn from the metrics
        operator=operator,
        operands=(float(low), low + 2.5) if operator.endswith("Between") else (float(low),),
        columns=about,
        query="SELECT COUNT(*) FROM readings" if metric == "sql" else "",
        arguments='{"validValues": ["a"]}' if metric == "invalidValues" else "",
        unit="rows" if not about else draw(st.sampled_from(["rows", "percent"])),
        severity=draw(SEVERITIES),  # type: ignore[arg-type]  # drawn from the severities
        description=draw(WORDS),
    )


@st.composite
def rich_tables(draw: st.DrawFn, name: str) -> TableContract:
    names = tuple(draw(st.lists(NAMES, min_size=1, max_size=4, unique=True)))
    columns = [draw(rich_columns(one)) for one in names]
    key = tuple(draw(st.lists(st.sampled_from(names), max_size=2, unique=True)))
    columns = [msgspec.structs.replace(one, required=True) if one.name in key else one for one in columns]
    # In the order in which a file lists them: rules of the table before those of its columns.
    rules = [draw(set_rules(names, f"set {index}")) for index in range(draw(st.integers(0, 3)))]
    rules.sort(key=lambda rule: len(rule.columns))
    times = [one.name for one in columns if one.type in ("timestamp", "date")]
    return TableContract(
        name=name,
        columns=tuple(columns),
        primary_key=key,
        unique=draw(st.sampled_from([(), (names,)])),
        foreign_keys=draw(st.sampled_from([(), (_to_itself(names[:1]),), (_to_itself(names),)])),
        row_rules=draw(st.sampled_from([(), (RowRule(name="r", expression=f'"{names[0]}" IS NOT NULL'),)])),
        set_rules=tuple(rules),
        freshness=tuple(
            Freshness(column=one, seconds=draw(st.sampled_from([0.5, 90.0, 7200.0, 864000.0])))
            for one in times
        ),
        minimum_rows=draw(st.integers(0, 100)),
        stop_above=draw(st.floats(0.001, 1.0)),
        description=draw(WORDS),
    )


def _to_itself(columns: tuple[str, ...]) -> ForeignKey:
    return ForeignKey(columns=columns, table="readings", to=columns, severity="warning")


@st.composite
def rich_contracts(draw: st.DrawFn) -> Contract:
    contract = Contract(
        id=draw(ID),
        version=draw(st.sampled_from(["1.0.0", "2024-05-01", "1.0"])),
        status=draw(st.sampled_from(["active", "draft"])),
        tables=(draw(rich_tables("readings")), *draw(st.sampled_from([(), (LOOKUP,)]))),
        description=draw(WORDS),
    )
    assert contract_problems(contract) == []
    return contract


LOOKUP = TableContract(name="towns", columns=(ColumnContract(name="town", type="string", required=True),))


def optional(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Mappings with any of the fields."""
    return st.fixed_dictionaries({}, optional=fields)


CUSTOM = st.lists(
    st.fixed_dictionaries(
        {"property": st.sampled_from(["owner", "labelHorizon", "valueRange"]), "value": ANY},
        optional={"description": WORDS, "id": ID},
    ),
    max_size=2,
)
DEFINITIONS = st.lists(st.fixed_dictionaries({"url": WORDS, "type": WORDS}), max_size=1)
MEMBER = st.fixed_dictionaries({"username": WORDS}, optional={"role": WORDS, "dateIn": st.just("2022-10-01")})
ELEMENT = {
    "physicalName": WORDS,
    "businessName": WORDS,
    "tags": TAGS,
    "description": WORDS,
    "customProperties": CUSTOM,
    "authoritativeDefinitions": DEFINITIONS,
}
OPERATORS = st.sampled_from(
    [
        {"mustBe": 0},
        {"mustBe": 0.0, "unit": "percent"},
        {"mustNotBe": 3},
        {"mustBeLessThan": 5},
        {"mustBeGreaterOrEqualTo": 10},
        {"mustBeGreaterThan": 9},
        {"mustBeBetween": [1, 2.5]},
        {"mustNotBeBetween": [1, 2], "unit": "percent"},
        {"mustBe": "ten"},
        {"mustBe": 1, "unit": "furlongs"},
    ]
)
ASIDE = optional(
    name=WORDS,
    id=ID,
    dimension=st.sampled_from(["accuracy", "timeliness"]),
    severity=st.sampled_from(["info", "warning", "error", "critical"]),
    businessImpact=WORDS,
    schedule=st.just("0 20 * * *"),
    tags=TAGS,
    customProperties=CUSTOM,
    description=WORDS,
)
HEADS = st.sampled_from(
    [
        {"metric": "nullValues"},
        {"type": "library", "metric": "missingValues", "arguments": {"missingValues": ["", "n/a"]}},
        {"metric": "missingValues"},
        {"metric": "duplicateValues"},
        {"metric": "duplicateValues", "arguments": {"properties": ["key"]}},
        {"type": "library", "metric": "invalidValues", "arguments": {"validValues": ["a", "b"]}},
        {"metric": "invalidValues", "arguments": {"pattern": "^[ab]$"}},
        {"metric": "rowCount"},
        {"type": "sql", "query": "SELECT COUNT(*) FROM ${table}"},
        {"type": "sql", "query": "SELECT SOMETHING_OF_ANOTHER_DATABASE(x) FROM ${table}"},
    ]
)
UNMEASURED = st.sampled_from(
    [
        {"type": "text", "description": "looks nice"},
        {"type": "custom", "engine": "soda", "implementation": "checks: all"},
        {"type": "custom", "engine": "greatExpectations", "implementation": {"type": "expect"}},
        {"type": "custom", "engine": "seatrial", "implementation": "key <> 'x'", "severity": "warning"},
    ]
)
QUALITY = st.lists(
    st.tuples(HEADS, OPERATORS, ASIDE).map(lambda parts: parts[2] | parts[0] | parts[1]) | UNMEASURED,
    max_size=3,
)
NUMBERS = optional(
    minimum=st.sampled_from([0, -1.5]),
    exclusiveMaximum=st.sampled_from([10, 70.0]),
    multipleOf=st.just(0.5),
    format=st.just("f64"),
)
TEXTS = optional(
    minLength=st.just(1),
    maxLength=st.just(64),
    pattern=st.just("[ab]+"),
    format=st.sampled_from(["email", "password"]),
)
TIMES = optional(minimum=st.just("2020-01-01T00:00:00Z"), timezone=st.booleans(), format=WORDS)
KINDS = st.sampled_from(
    ["string", "number", "integer", "boolean", "timestamp", "date", "time", "array", "object"]
)
OPTIONS = {
    "string": TEXTS,
    "number": NUMBERS,
    "integer": NUMBERS.map(lambda o: {k: v for k, v in o.items() if k != "format"}),
    "timestamp": TIMES,
}


@st.composite
def properties(draw: st.DrawFn, name: str) -> dict[str, Any]:
    kind = draw(KINDS)
    part = {"name": name, "logicalType": kind} | draw(
        optional(
            **ELEMENT,
            required=st.booleans(),
            unique=st.booleans(),
            partitioned=st.booleans(),
            partitionKeyPosition=st.integers(-1, 2),
            classification=WORDS,
            encryptedName=WORDS,
            criticalDataElement=st.booleans(),
            transformSourceObjects=TAGS,
            transformLogic=WORDS,
            examples=st.lists(ANY, max_size=2),
            quality=QUALITY,
            relationships=st.just([{"to": "readings.key"}]) if kind == "string" else st.just([]),
        )
    )
    if kind in OPTIONS and draw(st.booleans()):
        part["logicalTypeOptions"] = draw(OPTIONS[kind])
    if kind == "object" and draw(st.booleans()):
        part["properties"] = [{"name": "inner", "logicalType": "string"}]
    if kind == "array" and draw(st.booleans()):
        part["items"] = {"logicalType": "integer"}
    return part


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """A valid document with parts of every section."""
    names = draw(st.lists(NAMES, min_size=0, max_size=3, unique=True))
    key = {"name": "key", "logicalType": "string", "primaryKey": True} | draw(
        optional(primaryKeyPosition=st.just(1), physicalType=st.just("VARCHAR(9)"))
    )
    table = {"name": "readings", "properties": [key, *(draw(properties(name)) for name in names)]}
    table |= draw(optional(**ELEMENT, quality=QUALITY, dataGranularityDescription=WORDS))
    level = st.fixed_dictionaries(
        {
            "property": st.sampled_from(["latency", "freshness", "volume", "retention", "availability"]),
            "value": st.sampled_from([4, 2.5, "99 %", True]),
        },
        optional={
            "unit": st.sampled_from(["d", "h", "rows", "%"]),
            "element": st.sampled_from(["readings", "readings.at", "readings.key"]),
            "driver": st.just("regulatory"),
            "valueExt": st.just(9),
            "customProperties": CUSTOM,
        },
    )
    head = {"apiVersion": "v3.1.0", "kind": "DataContract", "id": "x", "version": "1.0.0", "status": "draft"}
    return (
        head
        | {"schema": [table]}
        | draw(
            optional(
                name=WORDS,
                domain=WORDS,
                tenant=WORDS,
                dataProduct=WORDS,
                tags=TAGS,
                contractCreatedTs=st.just("2022-11-15T02:59:43Z"),
                description=optional(purpose=WORDS, limitations=WORDS, usage=WORDS, customProperties=CUSTOM),
                servers=st.just([{"server": "local", "type": "local", "path": "./x", "format": "csv"}]),
                team=optional(name=WORDS, members=st.lists(MEMBER, max_size=2)),
                roles=st.lists(
                    st.fixed_dictionaries({"role": WORDS}, optional={"access": WORDS}), max_size=1
                ),
                support=st.lists(
                    st.fixed_dictionaries({"channel": WORDS}, optional={"tool": WORDS}), max_size=1
                ),
                price=optional(priceAmount=st.sampled_from([1, 2.5]), priceCurrency=WORDS),
                slaProperties=st.lists(level, max_size=3),
                customProperties=CUSTOM,
                authoritativeDefinitions=DEFINITIONS,
            )
        )
    )
