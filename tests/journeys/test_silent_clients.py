"""Clients that open a connection and say nothing, or say it too slowly, do not keep it."""

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

from seatrial.settings import read_settings
from seatrial.web.server import PRODUCT_VARIABLE
from tests.shop import free_port, until


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A server that waits a second for its callers, on the port."""
    found = free_port()
    workspace = tmp_path_factory.mktemp("silent") / "ws"
    given = {"workspace": str(workspace), "console_port": str(found), "idle_seconds": "1"}
    environment = {**os.environ, **read_settings(given, {}).environment(), PRODUCT_VARIABLE: "hotel"}
    with subprocess.Popen(
        [sys.executable, "-m", "seatrial.web.server", "console"], env=environment
    ) as server:
        try:
            until(lambda: _lives(found), "the server answers")
            yield found
        finally:
            server.terminate()


def _lives(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/livez").status_code == 200
    except httpx.TransportError:
        return False


def test_connections_that_say_nothing_more_are_closed_and_others_are_answered(port: int) -> None:
    whole = b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    with contextlib.ExitStack() as open_ones:
        silent = {}
        for said in (b"", b"G", whole[:30], whole):
            one = open_ones.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30))
            one.sendall(said)
            silent[said] = one
        assert _lives(port)
        received = {said: _all_of(one) for said, one in silent.items()}
    assert {said for said, text in received.items() if b" 200 " in text} == {whole}


def _all_of(connection: socket.socket) -> bytes:
    """What is received until the other end closes."""
    received = b""
    while part := connection.recv(4096):
        received += part
    return received


def test_a_client_that_asks_again_in_time_keeps_its_connection(port: int) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        ends = {
            client.get("/livez").extensions["network_stream"].get_extra_info("client_addr") for _ in range(3)
        }
    assert len(ends) == 1
