"""Whether servers can listen where their settings say, found out before anything is started."""

import errno
import os
import socket
from collections.abc import Sequence

from seatrial.errors import SettingsInvalid
from seatrial.settings import Settings


def check_ports(settings: Settings, names: Sequence[str]) -> None:
    """Return if the ports of these settings, such as `console_port`, are free and differ.

    Servers set SO_REUSEPORT for their workers, so the kernel would let a second server share the port of the first and
    give each some of the connections. Raises SettingsInvalid with every port that cannot be had.
    """
    problems = [problem for name in names if (problem := _problem(settings, name))]
    taken: dict[int, str] = {}
    for name in names:
        port = int(settings.values[name].value)
        if port in taken:
            problems.append(f"{name}: {port} is the {taken[port]} too; give it another one")
        taken[port] = name
    if problems:
        raise SettingsInvalid(problems)


def _problem(settings: Settings, name: str) -> str | None:
    port, host = settings.values[name], settings.bound_host
    try:
        _bind(host, int(port.value))
    except OSError as error:
        if error.errno == errno.EADDRNOTAVAIL:
            return f"host: {host} (from {settings.values['host'].origin}) is no address of this machine"
        shown = f"{name}: {port.value} (from {port.origin})"
        if error.errno == errno.EADDRINUSE:
            option = f"--{name.replace('_', '-')}"
            return f"{shown} is in use on {host}; stop what listens there, or give another {option}"
        return f"{shown} cannot be listened on at {host}: {os.strerror(error.errno or 0)}"
    return None


def _bind(host: str, port: int) -> None:
    """Bind once and let go. Without SO_REUSEPORT, so that it fails where another one listens who has set it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # Connections of an ended server that linger are no hindrance.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
