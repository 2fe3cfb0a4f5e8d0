"""Great Expectations on pandas: a suite over the whole table in memory, with the index of every unexpected value."""

import sys
from pathlib import Path

import great_expectations as gx
import great_expectations.expectations as gxe
import pandas as pd

from benchmarks.contract_rules import (
    CODE,
    HIGH,
    KINDS,
    LOW,
    OLDEST,
    PLACES,
    RANGED,
    REQUIRED,
    is_fresh,
    report,
)


def suite() -> gx.ExpectationSuite:
    """17 of the rules; freshness is told apart, as for the others."""
    return gx.ExpectationSuite(
        name="rules",
        expectations=[
            *(
                gxe.ExpectColumnValuesToBeBetween(column=name, min_value=LOW, max_value=HIGH)
                for name in RANGED
            ),
            *(gxe.ExpectColumnValuesToNotBeNull(column=name) for name in REQUIRED),
            gxe.ExpectColumnValuesToBeBetween(column="age", min_value=0, max_value=OLDEST),
            gxe.ExpectColumnValuesToBeInSet(column="kind", value_set=list(KINDS)),
            gxe.ExpectColumnValuesToBeInSet(column="place", value_set=list(PLACES)),
            gxe.ExpectColumnValuesToMatchRegex(column="code", regex=f"^(?:{CODE})$"),
            gxe.ExpectColumnValuesToBeUnique(column="id"),
        ],
    )


def work(folder: Path) -> dict[str, object]:
    """The distinct rows among the unexpected ones."""
    frame = pd.concat([pd.read_parquet(path) for path in sorted(folder.glob("*.parquet"))], ignore_index=True)
    fresh = is_fresh(frame["seen"].max())
    context = gx.get_context(mode="ephemeral")
    asset = context.data_sources.add_pandas("memory").add_dataframe_asset("table")
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame})
    result_format = {"result_format": "COMPLETE", "include_unexpected_rows": False}
    checked = batch.validate(suite(), result_format=result_format)
    lists = [one.result.get("unexpected_index_list") or [] for one in checked.results]
    return {
        "found": len({place for found in lists for place in found}),
        "cases": sum(map(len, lists)),
        "fresh": fresh,
    }


if __name__ == "__main__":
    report(lambda: work(Path(sys.argv[1])))
