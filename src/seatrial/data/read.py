"""All sources of a product, read and checked against its contract."""

from dataclasses import dataclass
from datetime import datetime

import polars as pl

from seatrial.contract.check import Checked, check_table
from seatrial.data.digest import rows_digest
from seatrial.data.ports import SourceReader
from seatrial.errors import DataRefused, SeatrialError, SourceFailed
from seatrial.facts.snapshot import RuleResult, SourceRead
from seatrial.product.product import Product
from seatrial.product.schema import Source


@dataclass(frozen=True)
class SourceTables:
    """What the sources gave: kept rows per source in contract types, how each was read, how each rule fared.

    `quarantined` has the columns of `facts.tables.QUARANTINE`, one row per rule that a row broke.
    """

    frames: dict[str, pl.DataFrame]
    reads: tuple[SourceRead, ...]
    rules: tuple[RuleResult, ...]
    quarantined: pl.DataFrame


def read_sources(product: Product, reader: SourceReader, *, at: datetime) -> SourceTables:
    """Every source of the product, read and checked at `at`.

    Raises SourceFailed when one cannot be read, DataRefused when one breaks the contract too much; with several
    failures, one error tells them all.
    """
    checks: dict[str, Checked] = {}
    reads: list[SourceRead] = []
    failures: list[SeatrialError] = []
    for name, source in product.file.sources.items():
        try:
            frame = reader.read(name, source, product.folder)
            checks[name] = _check(product, name, frame, at)
        except (SourceFailed, DataRefused) as error:
            failures.append(error)
        else:
            reads.append(_as_read(name, source, frame, checks[name], at))
    _raise_together(failures)
    return SourceTables(
        frames={name: checked.kept for name, checked in checks.items()},
        reads=tuple(reads),
        rules=tuple(result for checked in checks.values() for result in checked.results),
        quarantined=pl.concat(checked.quarantined for checked in checks.values()),
    )


def _check(product: Product, name: str, frame: pl.DataFrame, at: datetime) -> Checked:
    table = product.contract.table(name)
    assert table is not None  # a product whose contract lacks a source is not read
    return check_table(table, frame, contract_version=product.contract.version, at=at)


def _as_read(name: str, source: Source, frame: pl.DataFrame, checked: Checked, at: datetime) -> SourceRead:
    return SourceRead(
        name=name,
        kind="python" if source.python is not None else "path",
        rows=frame.height,
        kept=checked.kept.height,
        digest=rows_digest(checked.kept),
        read_at=at,
    )


def _raise_together(failures: list[SeatrialError]) -> None:
    if not failures:
        return
    if len(failures) == 1:
        raise failures[0]
    # A refusal does not pass by itself, so one among failures that may is what counts.
    kind = DataRefused if any(isinstance(one, DataRefused) for one in failures) else SourceFailed
    raise kind("\n".join(str(one) for one in failures)) from failures[0]
