"""Which hosts are this machine's own, and which pages are theirs."""

import pytest

from seatrial.web.hosts import LOOPBACK, host_of, is_same_host, own_hosts


def test_a_server_has_the_names_of_loopback_and_the_one_it_is_bound_to() -> None:
    assert own_hosts("127.0.0.1") == ("127.0.0.1", "localhost", "[::1]")
    assert own_hosts("::1")[0] == "[::1]"
    assert own_hosts("127.1.2.3") == ("127.1.2.3", *LOOPBACK)


@pytest.mark.parametrize(
    ("header", "host"),
    [
        ("localhost", "localhost"),
        ("Localhost:80", "localhost"),
        ("[::1]:80", "[::1]"),
        ("[::1", ""),
        ("", ""),
    ],
)
def test_the_host_of_a_header_has_no_port(header: str, host: str) -> None:
    assert host_of(header) == host


@pytest.mark.parametrize(
    ("origin", "same"),
    [
        ("http://localhost:8400", True),
        ("http://LOCALHOST:8400", True),
        ("http://localhost:8401", False),
        ("http://localhost", False),
        ("null", False),
        ("", False),
    ],
)
def test_a_page_is_of_a_host_only_with_its_port(origin: str, same: bool) -> None:
    assert is_same_host(origin, "localhost:8400") is same


def test_without_a_host_no_page_is_of_it() -> None:
    assert not is_same_host("null", "")


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "", "//", "null"])
def test_an_origin_that_is_no_url_is_of_no_host(origin: str) -> None:
    assert not is_same_host(origin, "127.0.0.1:8400")
