"""Where settings come from, and what they refuse."""

from pathlib import Path

import pytest

from seatrial.errors import SettingsInvalid
from seatrial.settings import Settings, read_settings

HOME = Path("/srv/products/hotel")


def read(**variables: str) -> Settings:
    return read_settings({}, {f"SEATRIAL_{name.upper()}": value for name, value in variables.items()}, HOME)


def test_without_anything_the_defaults_hold_and_say_so() -> None:
    settings = read()
    assert settings.workspace == HOME / ".seatrial"
    assert settings.metadata_url == f"sqlite:///{HOME / '.seatrial' / 'metadata.db'}"
    assert (settings.host, settings.port, settings.console_port) == ("127.0.0.1", 8400, 8401)
    assert (settings.workers, settings.tick_seconds, settings.clock_offset) == (1, 2.0, 0.0)
    assert (settings.needs_tokens, settings.idle_seconds) == (False, 75.0)
    assert {setting.origin for setting in settings.values.values()} == {"default"}


def test_an_argument_comes_before_a_variable_and_a_variable_before_the_default() -> None:
    variables = {"SEATRIAL_PORT": "9000", "SEATRIAL_WORKERS": "3"}
    settings = read_settings({"port": "9100", "host": None}, variables, HOME)
    assert (settings.port, settings.workers, settings.host) == (9100, 3, "127.0.0.1")
    origins = {name: settings.values[name].origin for name in ("port", "workers", "host")}
    assert origins == {
        "port": "argument",
        "workers": "environment variable SEATRIAL_WORKERS",
        "host": "default",
    }


def test_an_absolute_workspace_stays_where_it_is() -> None:
    assert read(workspace="/var/seatrial").workspace == Path("/var/seatrial")


def test_every_setting_says_what_it_is_for() -> None:
    assert all(setting.meaning for setting in read().values.values())


def test_a_started_process_reads_the_same_settings() -> None:
    settings = read(workspace="data", clock_offset="-86400.5", metadata_url="postgresql://db/x")
    again = read_settings({}, settings.environment(), Path("/elsewhere"))
    assert again.environment() == settings.environment()
    assert (again.workspace, again.clock_offset) == (HOME / "data", -86400.5)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", "0"),
        ("port", "65536"),
        ("port", "http"),
        ("port", "²"),
        ("console_port", "-1"),
        ("workers", "0"),
        ("workers", "two"),
        ("workers", "²"),
        ("tick_seconds", "0"),
        ("tick_seconds", "-1"),
        ("tick_seconds", "nan"),
        ("tick_seconds", "inf"),
        ("clock_offset", "yesterday"),
        ("clock_offset", "nan"),
        ("host", ""),
        ("host", "seatrial.example"),
        ("host", "1.2.3"),
        ("host", "::1%lo"),
        ("authentication", "none"),
        ("authentication", ""),
        ("idle_seconds", "0"),
        ("idle_seconds", "3601"),
        ("idle_seconds", "nan"),
        ("metadata_url", "mysql://db/x"),
        ("workspace", ""),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(SettingsInvalid) as refusal:
        read(**{name: value})
    [problem] = refusal.value.problems
    assert problem.startswith(f"{name}: ")
    assert f"SEATRIAL_{name.upper()}" in problem
    assert "expected" in problem


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.8.8", "::1"])
def test_on_loopback_callers_need_tokens_only_when_it_is_asked_for(host: str) -> None:
    assert read(host=host).host == host
    assert not read(host=host).needs_tokens
    assert read(host=host, authentication="required").needs_tokens


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.7", "192.168.1.5", "2001:db8::1"])  # noqa: S104 - only read
def test_beyond_loopback_callers_need_tokens_whatever_is_asked_for(host: str) -> None:
    assert read(host=host).needs_tokens
    assert read(host=host, authentication="auto").needs_tokens


def test_servers_bind_to_addresses_in_figures() -> None:
    assert [read(host=host).bound_host for host in ("localhost", "::1")] == ["127.0.0.1", "::1"]


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(SettingsInvalid) as refusal:
        read(port="x", workers="0", host="here")
    assert [problem.split(":")[0] for problem in refusal.value.problems] == ["host", "port", "workers"]


def test_the_password_of_a_database_is_not_repeated() -> None:
    with pytest.raises(SettingsInvalid) as refusal:
        read(metadata_url="mysql://me:secret@db/x")
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:secret@db/x", "postgresql://me:***@db/x"),
        ("postgresql://me:sec@ret/@db:5432/x", "postgresql://me:***@db:5432/x"),
        ("postgresql://:secret@db/x", "postgresql://:***@db/x"),
        ("postgresql://db/x?user=me&password=secret&a=b", "postgresql://db/x?user=me&password=***&a=b"),
        ("postgresql://me@db:5432/x", "postgresql://me@db:5432/x"),
        ("sqlite:///place/metadata.db", "sqlite:///place/metadata.db"),
    ],
)
def test_a_setting_is_shown_without_passwords_and_used_with_them(url: str, shown: str) -> None:
    settings = read(metadata_url=url)
    assert settings.values["metadata_url"].shown == shown
    assert settings.shown()["metadata_url"].value == shown
    assert settings.shown()["metadata_url"].origin == settings.values["metadata_url"].origin
    assert settings.shown().keys() == settings.values.keys()
    assert settings.metadata_url == url
    assert "secret" not in repr(settings)
