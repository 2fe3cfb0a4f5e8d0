"""Two versions of a contract: what changed, and for whom it matters."""

from seatrial.contract.diff.changes import Change, Kind
from seatrial.contract.diff.comparing import compare, needed_version, refuse_breaking

__all__ = ["Change", "Kind", "compare", "needed_version", "refuse_breaking"]
