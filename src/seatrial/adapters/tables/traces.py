"""What a Delta table keeps of rows that were replaced, and how it is removed."""

import re
from datetime import UTC, datetime, timedelta

import obstore
from deltalake import DeltaTable
from obstore.store import ObjectStore

# Younger files may belong to a writer that is about to commit. Younger commits stay as well: a writer that began
# before them would find its place in the log free again, and what it commits there would be seen by nobody.
_WRITING = timedelta(hours=1)
_VERSIONED = re.compile(r"_delta_log/(?P<version>[0-9]{20})\.(?:json|checkpoint.*\.parquet)")


def remove_traces(handle: DeltaTable, store: ObjectStore) -> None:
    """Remove every file that the newest state does not need; `store` holds the table's objects.

    The log names files, and the smallest and largest times in them, no other value. Of the log, and of the files
    that it does not name, what is younger than an hour stays.
    """
    handle.vacuum(0, dry_run=False, enforce_retention_duration=False)
    hours = int(_WRITING.total_seconds() // 3600)
    handle.vacuum(hours, dry_run=False, enforce_retention_duration=False, full=True)
    handle.create_checkpoint()
    if old := _old_log(store, handle.version(), datetime.now(UTC) - _WRITING):
        obstore.delete(store, old)


def _old_log(store: ObjectStore, checkpoint: int, before: datetime) -> list[str]:
    """Commits and checkpoints that the newest checkpoint replaces, oldest first: a gap would hide what follows it."""
    found = [entry for page in obstore.list(store, "_delta_log") for entry in page]
    return sorted(
        entry["path"]
        for entry in found
        if (name := _VERSIONED.fullmatch(entry["path"]))
        and int(name["version"]) < checkpoint
        and entry["last_modified"] < before
    )
