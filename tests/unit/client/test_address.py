"""Where a client sends to, and as whom."""

import subprocess
import sys

import pytest

import seatrial
from seatrial.client.address import address
from seatrial.errors import SettingsInvalid


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:8400",
        "ftp://x",
        "http://",
        "http://x:99999",
        "http://x?y=1",
        "http://[::1",
        "http://x#y",
    ],
)
def test_what_is_no_address_of_a_server_is_refused(url: str) -> None:
    with pytest.raises(SettingsInvalid, match="url"):
        address(url, None, None)


def test_a_password_in_the_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(SettingsInvalid) as raised:
        address("http://me:hunter2@example.com", None, None)
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("token", ["", "two words", "line\nbreak", "ünicode"])
def test_a_token_that_no_header_carries_is_refused_and_not_repeated(token: str) -> None:
    with pytest.raises(SettingsInvalid) as raised:
        address("http://x", None, token)
    assert not token or token not in str(raised.value)


def test_the_token_comes_from_the_environment_unless_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEATRIAL_TOKEN", "from-outside")
    assert address("http://x", None, None).headers() == {"authorization": "Bearer from-outside"}
    assert address("http://x", None, "given").headers() == {"authorization": "Bearer given"}
    monkeypatch.setenv("SEATRIAL_TOKEN", "")
    assert address("http://x", None, None).headers() == {}


def test_no_text_of_a_client_shows_its_token() -> None:
    for kind in (seatrial.Client, seatrial.AsyncClient):
        client = kind("http://x:1/", "hotel", token="hunter2")  # noqa: S106 - no secret
        assert repr(client) == f"{kind.__name__}('http://x:1', product='hotel')"
        assert "hunter2" not in str(address("http://x", None, "hunter2"))


def test_the_package_offers_its_clients_and_nothing_else() -> None:
    assert seatrial.Client.__name__ == "Client"
    with pytest.raises(AttributeError, match="Clint"):
        _ = seatrial.Clint  # type: ignore[attr-defined]  # misspelled on purpose


def test_importing_the_package_imports_no_library() -> None:
    code = "import sys; before = {*sys.modules}; import seatrial; print(sorted({*sys.modules} - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['seatrial', 'seatrial.client', 'seatrial.client.on_demand']"


def test_a_client_of_mappings_loads_no_tables() -> None:
    code = "import sys, seatrial; seatrial.Client('http://x'); print('polars' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
