"""Workspace settings; each value remembers where it came from."""

import ipaddress
import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from seatrial.errors import SettingsInvalid

_DEFAULTS = {
    "workspace": ".seatrial",
    "metadata_url": "",
    "tables_url": "",
    "artifacts_url": "",
    "host": "127.0.0.1",
    "port": "8400",
    "console_port": "8401",
    "authentication": "auto",
    "workers": "1",
    "idle_seconds": "75",
    "drain_seconds": "0",
    "tick_seconds": "2",
    "clock_offset": "0",
}
_LOCALHOST = "localhost"
_MEANINGS = {
    "workspace": "folder of tables, artifacts, journal and, by default, metadata",
    "metadata_url": "sqlite:///… or postgresql://…; by default metadata.db in the workspace",
    "tables_url": "folder or s3://…, gs://…, az://…; by default tables in the workspace",
    "artifacts_url": "folder or s3://…, gs://…, az://…; by default artifacts in the workspace",
    "host": "address that the server and the console bind to; beyond loopback, callers must show a token",
    "port": "port of the data plane",
    "console_port": "port of the console",
    "authentication": "auto: callers on loopback need no token; required: all need one, as behind a proxy",
    "workers": "server processes that share the port",
    "idle_seconds": "seconds after which a connection is closed that sends nothing, or not all of its header",
    "drain_seconds": "seconds that a server which was told to end is not ready, yet answers",
    "tick_seconds": "seconds between two rounds of the loop",
    "clock_offset": "seconds added to the machine's clock, to replay history as if it were now",
}
# Up to the last @: a password with an @ in it must not be shown by halves.
_PASSWORD = re.compile(r"(://[^:/@]*:).*@")
_QUERY_PASSWORD = re.compile(r"([?&][^=&]*(?:password|passwd)[^=&]*=)[^&#]*", re.IGNORECASE)


@dataclass(frozen=True)
class Setting:
    """One value as text, with its origin: an argument, an environment variable, or the default."""

    # Not in the repr: tracebacks and logs show reprs, and a URL may hold a password.
    value: str = field(repr=False)
    origin: str
    meaning: str

    @property
    def shown(self) -> str:
        """The value as it may be shown and logged: passwords of a URL are three asterisks."""
        return _QUERY_PASSWORD.sub(r"\1***", _PASSWORD.sub(r"\1***@", self.value))


@dataclass(frozen=True)
class Settings:
    """All settings of a workspace."""

    values: Mapping[str, Setting]

    @property
    def workspace(self) -> Path:
        """The workspace's folder, absolute."""
        return Path(self.values["workspace"].value).expanduser().resolve()

    @property
    def metadata_url(self) -> str:
        """Where the metadata store is."""
        return self.values["metadata_url"].value or f"sqlite:///{self.workspace / 'metadata.db'}"

    @property
    def tables_url(self) -> str:
        """Where the tables are."""
        return self.values["tables_url"].value or str(self.workspace / "tables")

    @property
    def artifacts_url(self) -> str:
        """Where the artifacts are."""
        return self.values["artifacts_url"].value or str(self.workspace / "artifacts")

    @property
    def host(self) -> str:
        """The address to bind to."""
        return self.values["host"].value

    @property
    def bound_host(self) -> str:
        """The address to bind to, in figures."""
        return "127.0.0.1" if self.host == _LOCALHOST else self.host

    @property
    def needs_tokens(self) -> bool:
        """Whether callers must show a token: always beyond loopback, and there if it is asked for."""
        return self.values["authentication"].value == "required" or not is_loopback(self.host)

    @property
    def port(self) -> int:
        """The data plane's port."""
        return int(self.values["port"].value)

    @property
    def console_port(self) -> int:
        """The console's port."""
        return int(self.values["console_port"].value)

    @property
    def workers(self) -> int:
        """Server processes."""
        return int(self.values["workers"].value)

    @property
    def idle_seconds(self) -> float:
        """Seconds after which a connection is closed that sends nothing."""
        return float(self.values["idle_seconds"].value)

    @property
    def drain_seconds(self) -> float:
        """Seconds that a server which was told to end still answers, while it says that it is not ready."""
        return float(self.values["drain_seconds"].value)

    @property
    def tick_seconds(self) -> float:
        """Seconds between two rounds of the loop."""
        return float(self.values["tick_seconds"].value)

    @property
    def clock_offset(self) -> float:
        """Seconds that the workspace's clock is ahead of the machine's; negative in a replay of the past."""
        return float(self.values["clock_offset"].value)

    def shown(self) -> dict[str, Setting]:
        """All settings as they may be shown and logged."""
        return {name: replace(setting, value=setting.shown) for name, setting in self.values.items()}

    def environment(self) -> dict[str, str]:
        """The settings as environment variables, for processes that are started from here."""
        return {_variable(name): setting.value for name, setting in self.values.items()}


def read_settings(
    arguments: Mapping[str, str | None] | None = None,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Settings:
    """The settings: arguments before `SEATRIAL_…` variables before defaults.

    A relative workspace lies in `folder` (by default the present one). Raises SettingsInvalid with all problems.
    """
    given, variables = arguments or {}, os.environ if environment is None else environment
    values = {name: _setting(name, given, variables) for name in _DEFAULTS}
    problems = [problem for name, setting in values.items() if (problem := _problem(name, setting))]
    if problems:
        raise SettingsInvalid(problems)
    path = Path(values["workspace"].value).expanduser()
    absolute = path if path.is_absolute() else (folder or Path.cwd()) / path
    values["workspace"] = Setting(str(absolute), values["workspace"].origin, _MEANINGS["workspace"])
    return Settings(values)


def _setting(name: str, arguments: Mapping[str, str | None], variables: Mapping[str, str]) -> Setting:
    argument = arguments.get(name)
    if argument is not None:
        return Setting(str(argument), "argument", _MEANINGS[name])
    variable = _variable(name)
    if variable in variables:
        return Setting(variables[variable], f"environment variable {variable}", _MEANINGS[name])
    return Setting(_DEFAULTS[name], "default", _MEANINGS[name])


def _variable(name: str) -> str:
    return f"SEATRIAL_{name.upper()}"


def _problem(name: str, setting: Setting) -> str | None:
    """What is wrong with a value, in words, or None. A URL is not repeated: it may hold a password."""
    holds, expected = _RULES[name]
    if holds(setting.value):
        return None
    shown = "" if name == "metadata_url" else f"{setting.value!r} "
    return f"{name}: {shown}(from {setting.origin}): expected {expected}"


def _is_port(text: str) -> bool:
    return text.isdecimal() and 0 < int(text) < 65536


def is_loopback(host: str) -> bool:
    """Whether an address reaches this machine alone."""
    return host == _LOCALHOST or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host == _LOCALHOST
    # The zone of a link-local address has no place in a URL.
    return "%" not in host


def _seconds(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


_PLACE = "a folder, or a URL that begins with s3://, gs:// or az://"


def _is_place(text: str) -> bool:
    return "://" not in text or text.startswith(("s3://", "gs://", "az://", "file://"))


# name -> (whether a value holds, what is expected)
_RULES: dict[str, tuple[Callable[[str], bool], str]] = {
    "workspace": (bool, "a folder"),
    "metadata_url": (
        lambda text: not text or text.startswith(("sqlite:", "postgresql")),
        "sqlite:///… or postgresql://…",
    ),
    "tables_url": (_is_place, _PLACE),
    "artifacts_url": (_is_place, _PLACE),
    "host": (_is_address, "an IP address such as 127.0.0.1, 0.0.0.0 or ::, or localhost"),
    "port": (_is_port, "a port from 1 to 65535"),
    "console_port": (_is_port, "a port from 1 to 65535"),
    "authentication": (lambda text: text in ("auto", "required"), "auto or required"),
    "workers": (lambda text: text.isdecimal() and int(text) >= 1, "a number of processes, at least 1"),
    "idle_seconds": (lambda text: 1 <= (_seconds(text) or 0) <= 3600, "seconds from 1 to 3600"),
    "drain_seconds": (
        lambda text: 0 <= (-1 if (found := _seconds(text)) is None else found) <= 3600,
        "seconds from 0 to 3600",
    ),
    "tick_seconds": (lambda text: (_seconds(text) or 0) > 0, "seconds above zero"),
    "clock_offset": (lambda text: _seconds(text) is not None, "a number of seconds"),
}
