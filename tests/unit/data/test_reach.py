"""Where a value can lie follows from the product file and the contract."""

import msgspec
import pytest

from seatrial.contract.model import Contract, ForeignKey
from seatrial.contract.odcs import write_contract
from seatrial.data.reach import declared, reach_of
from seatrial.errors import NotFound
from seatrial.product.product import Product
from seatrial.product.read import parse_product
from tests.harbour import PRODUCT_FILE, TABLES, harbour_product


@pytest.fixture(scope="module")
def harbour() -> Product:
    return harbour_product()


@pytest.mark.parametrize("column", ["key", "call", "calls.call"])
def test_the_key_lies_in_its_source_and_under_its_own_name(harbour: Product, column: str) -> None:
    reach = reach_of(harbour, column)
    assert reach.sources == {"calls": ("call",)}
    assert (reach.examples, reach.lookups, reach.is_key) == (("call",), {}, True)
    assert declared(harbour, reach).name == "calls"


@pytest.mark.parametrize("column", ["ship", "ships.ship", "calls.ship"])
def test_a_lookups_key_is_followed_both_ways(harbour: Product, column: str) -> None:
    reach = reach_of(harbour, column)
    assert reach.sources == {"calls": ("ship",), "ships": ("ship",)}
    assert (reach.examples, reach.lookups, reach.is_key) == (("ship",), {"ships": ("ship",)}, False)


def test_what_a_lookup_brings_is_found_in_examples(harbour: Product) -> None:
    reach = reach_of(harbour, "length")
    assert reach.sources == {"ships": ("length",)}
    assert reach.lookups == {"ships": tuple(harbour.lookup_names["ships"].values())}
    assert reach.examples == reach.lookups["ships"]
    assert declared(harbour, reach).name == "ships"


def test_a_column_that_no_lookup_brings_is_in_no_example(harbour: Product) -> None:
    reach = reach_of(harbour, "measured_at")
    assert (reach.sources, reach.examples) == ({"tides": ("measured_at",)}, ())


def test_foreign_keys_are_followed_under_other_names() -> None:
    calls, *others = TABLES
    key = ForeignKey(columns=("crew",), table="tides", to=("basin",))
    tables = (msgspec.structs.replace(calls, foreign_keys=(key,)), *others)
    contract = Contract(id="harbour", version="1.0.0", tables=tables)
    reach = reach_of(parse_product(PRODUCT_FILE, write_contract(contract)), "tides.basin")
    assert reach.sources == {"calls": ("basin", "crew"), "tides": ("basin",)}
    assert reach.examples == ("basin", "crew")


def test_a_column_that_is_nowhere_is_not_found(harbour: Product) -> None:
    with pytest.raises(NotFound, match=r"no source has a column ships\.call; .*`source\.column`"):
        reach_of(harbour, "ships.call")
