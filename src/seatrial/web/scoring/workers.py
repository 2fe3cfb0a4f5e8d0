"""What a supervisor and its workers agree upon; it loads nothing, for a fork must not inherit a library's threads."""

import secrets
import signal

# Sent to the workers before they are ended: say that you are not ready, and go on answering.
DRAIN_SIGNAL = signal.SIGUSR1
# Sent again and again to workers that are to end. granian's own signal is lost on a worker that has just begun, and
# its second one breaks off what is under way.
END_SIGNAL = signal.SIGUSR2
# The name of the server that they all are, by which they know each other from those of other servers.
SERVER_VARIABLE = "SEATRIAL_SERVER"


def fresh_server() -> str:
    """A name that no other server has."""
    return secrets.token_hex(6)
