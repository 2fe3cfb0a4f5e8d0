"""A delivery against its contract: what is sound, what is put aside, and whether too much is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
import polars as pl

from seatrial.contract.check import refuse_when_thinned
from seatrial.contract.model import TableContract
from seatrial.contract.quarantine import quarantine_rows
from seatrial.data.corrections import corrected_check
from seatrial.data.erasure import suppressed, suppressed_aside, suppressed_lines
from seatrial.data.merging import added_up, unreadable_rules
from seatrial.data.ports import Delivery
from seatrial.data.retention import delivered_in_time, in_time
from seatrial.facts.erasure import Erasure
from seatrial.facts.load import Load
from seatrial.facts.quarantine import Correction
from seatrial.facts.snapshot import RuleResult
from seatrial.product.product import Product

# A single bad row among three must not stop a feed: small increments are judged with those before them.
ENOUGH_ROWS = 100


@dataclass(frozen=True)
class Taken:
    """A delivery after its check: sound rows, one result per rule, and what is put aside with the reasons.

    `delivered` rows were read and `rejected` of them put aside, what could not be read as a row included;
    `suppressed` rows were erased before, or are older than rows may be. `corrected` counts, by correction, the
    rows that it let through.
    """

    kept: pl.DataFrame
    rules: tuple[RuleResult, ...]
    quarantined: pl.DataFrame
    delivered: int
    rejected: int
    suppressed: int
    corrected: dict[str, int]


@dataclass(frozen=True)
class Terms:
    """Under what a delivery of a source is taken: its contract, and what people decided about its rows."""

    product: Product
    table: TableContract
    version: str
    corrections: Sequence[Correction]
    erasures: Sequence[Erasure]

    def take(
        self,
        delivery: Delivery,
        *,
        others: Mapping[str, pl.DataFrame],
        last: Load | None,
        at: datetime,
        latest: datetime,
    ) -> Taken:
        """The delivery, checked at `at`; `others` are the tables that foreign keys point to.

        Raises DataRefused when columns are missing, or more rows break a rule than the contract lets pass.
        """
        name = self.table.name
        wanted, forgotten = suppressed(delivery.frame, self.erasures, self.table)
        frame, outdated = delivered_in_time(self.product, name, wanted, at)
        unreadable, unread_forgotten = suppressed_lines(delivery.unreadable, self.erasures, name)
        checked, corrected = corrected_check(
            self.table,
            frame,
            self.corrections,
            contract_version=self.version,
            at=at,
            others=others,
            latest=latest,
        )
        # A correction may set a value that was erased, and only a row that was read tells its own time.
        kept, mended_back = suppressed(checked.kept, self.erasures, self.table)
        kept, too_old = in_time(self.product, name, kept, at)
        aside, beside = suppressed_aside(checked.quarantined, self.erasures, self.table)
        unread = quarantine_rows(name, unreadable, contract_version=self.version, at=at)
        dropped = forgotten + outdated + unread_forgotten + mended_back + too_old + beside
        taken = Taken(
            kept=kept,
            rules=(*checked.results, *unreadable_rules(name, unread, frame.height)),
            quarantined=pl.concat([aside, unread]),
            delivered=delivery.frame.height + delivery.unreadable.height,
            rejected=checked.rejected - beside + unread.height,
            suppressed=dropped,
            corrected=corrected,
        )
        self._refuse_when_thinned(taken, last, whole=delivery.whole, rows=taken.delivered - dropped)
        return taken

    def _refuse_when_thinned(self, taken: Taken, last: Load | None, *, whole: bool, rows: int) -> None:
        if whole:
            refuse_when_thinned(self.table, taken.rules, rows=rows, rejected=taken.rejected)
            return
        rules, rejected = taken.rules, taken.rejected
        if rows < ENOUGH_ROWS and last is not None:
            rules, rows = added_up(last.all_rules, rules), rows + last.all_delivered
            rejected += last.all_rejected
        increment = msgspec.structs.replace(self.table, minimum_rows=0)
        refuse_when_thinned(increment, rules, rows=rows, rejected=rejected)
