"""What goes wrong with databases: what may pass, and what will not."""

from seatrial.adapters.sources.retry import connection_failed

# Of a server that went away or is only starting, and of a file that somebody else is writing.
_PASSING = (
    "cannot connect",
    "could not connect",
    "could not serialize",
    "connection is bad",
    "connection refused",
    "connection reset",
    "connection timeout",
    "database is locked",
    "deadlock detected",
    "failed to connect",
    "lost connection",
    "server closed the connection",
    "server has gone away",
    "terminating connection",
    "the connection is closed",
    "the connection is lost",
    "the database system is",
    "timed out",
    "too many clients",
    "too many connections",
)
# Told while connecting too, but waiting does not help.
_STAYING = ("authentication failed", "no password supplied", "does not exist", "not permitted to log in")


def database_may_pass(error: Exception) -> bool:
    """Whether a database's error is one that may pass. Drivers tell it in words more surely than by their classes."""
    told = str(error).lower()
    if any(words in told for words in _STAYING):
        return False
    broken = bool(getattr(error, "connection_invalidated", False))
    return broken or connection_failed(error) or any(words in told for words in _PASSING)
