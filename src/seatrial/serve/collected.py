"""The journal's writing end in memory, for answers that are stored by whoever asked for them."""

from collections.abc import Sequence


class CollectedRecords:
    """A JournalWriter that holds what was written until it is taken."""

    def __init__(self) -> None:
        self._records: list[bytes] = []

    def append(self, kind: str, records: Sequence[bytes]) -> None:
        """Hold the records."""
        del kind  # an engine writes predictions alone
        self._records += records

    def seal(self) -> None:
        """A no-op: nothing is kept anywhere else."""

    def close(self) -> None:
        """A no-op."""

    def taken(self) -> list[bytes]:
        """What was written since the last call, in order."""
        records, self._records = self._records, []
        return records
