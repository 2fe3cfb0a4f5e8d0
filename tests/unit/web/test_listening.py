"""Ports that servers cannot have are refused before anything is started."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from seatrial.errors import SettingsInvalid
from seatrial.settings import Settings, read_settings
from seatrial.web.listening import check_ports
from seatrial.web.server import serve
from tests.shop import free_port

BOTH = ["port", "console_port"]


@contextmanager
def listener(host: str = "127.0.0.1") -> Iterator[int]:
    """The port of one that listens as servers with workers do: others who say so too may share the port."""
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        one.bind((host, 0))
        one.listen()
        yield one.getsockname()[1]


def settings(port: int, console: int, host: str = "127.0.0.1") -> Settings:
    return read_settings({"port": str(port), "console_port": str(console), "host": host}, {})


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "0.0.0.0"])  # noqa: S104 - nothing is served
def test_free_ports_may_be_taken(host: str) -> None:
    check_ports(settings(free_port(), free_port(), host), BOTH)


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])  # noqa: S104 - nothing is served
def test_a_port_that_another_server_would_share_is_refused(host: str) -> None:
    with listener(host) as port, pytest.raises(SettingsInvalid) as refused:
        check_ports(settings(port, free_port()), BOTH)
    (problem,) = refused.value.problems
    assert problem.startswith(f"port: {port} (from argument) is in use on 127.0.0.1; stop what listens there")


def test_every_port_that_cannot_be_had_is_named() -> None:
    with listener() as one, listener() as other, pytest.raises(SettingsInvalid) as refused:
        check_ports(settings(one, other), BOTH)
    assert [problem.partition(":")[0] for problem in refused.value.problems] == BOTH


def test_a_port_whose_server_has_ended_is_free_though_its_connections_linger() -> None:
    with listener() as port, socket.create_connection(("127.0.0.1", port)):
        pass
    check_ports(settings(port, free_port()), BOTH)


def test_both_servers_on_one_port_are_refused_and_one_of_them_may_have_it() -> None:
    port = free_port()
    with pytest.raises(SettingsInvalid, match=f"console_port: {port} is the port too"):
        check_ports(settings(port, port), BOTH)
    check_ports(settings(port, port), ["port"])


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(SettingsInvalid, match=r"host: 192\.0\.2\.1 \(from argument\) is no address of this"):
        check_ports(settings(free_port(), free_port(), "192.0.2.1"), ["port"])


@pytest.mark.parametrize("application", ["scoring", "console"])
def test_a_server_does_not_start_on_a_port_in_use(application: str) -> None:
    with listener() as port, pytest.raises(SettingsInvalid, match="is in use"):
        serve("console" if application == "console" else "scoring", settings(port, port), "hotel")
