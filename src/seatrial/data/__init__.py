"""Sources, joins as known at decision time, checks, quarantine, snapshots and lineage."""
