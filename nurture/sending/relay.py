"""Where mail is handed over: one URL says it all, and every mistake in it is listed at once, without the password."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from nurture.errors import ConfigurationError


class Security(StrEnum):
    """`implicit`: TLS from the first byte (RFC 8314). `starttls`: required. `off`: stated, or loopback."""

    IMPLICIT = "implicit"
    STARTTLS = "starttls"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds for each stage (RFC 5321 4.5.3.2). A short `dot` makes duplicates: the server has the mail already."""

    tcp: float = 30
    greeting: float = 300
    mail: float = 300
    rcpt: float = 300
    data: float = 120
    block: float = 180
    dot: float = 600
    quit: float = 5


FLOORS = Timeouts(tcp=2, greeting=30, mail=30, rcpt=30, data=30, block=30, dot=600, quit=1)


@dataclass(frozen=True, slots=True)
class Relay:
    """One relay and how to use it. `idle` is in seconds; `messages` is the most mails on one connection."""

    host: str
    port: int
    security: Security
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: Path | None = None
    name: str | None = None
    connections: int = 5
    messages: int = 100
    idle: float = 15
    pipelining: bool = True
    timeouts: Timeouts = Timeouts()

    def __str__(self) -> str:
        scheme = "smtps" if self.security is Security.IMPLICIT else "smtp"
        login = f"{self.username}:***@" if self.username else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{login}{host}:{self.port}"

    @classmethod
    def parse(cls, url: str) -> Relay:
        """`smtps://user:password@host` or `smtp://host:25?connections=9`. Raises ConfigurationError with all problems.

        Options: tls=starttls|off, ca=FILE, name=EHLO-NAME, connections, messages, idle, pipelining=on|off, and
        timeout_{tcp,greeting,mail,rcpt,data,block,dot}. User and password are percent-encoded.
        """
        return _Parser(url).relay()


_DEFAULT_PORTS = {"smtp": 587, "smtps": 465}
_HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?")
_EHLO_NAME = re.compile(r"[A-Za-z0-9.-]+|\[[0-9A-Fa-f.:IPv]+\]")


class _Parser:
    def __init__(self, url: str) -> None:
        self.problems: list[str] = []
        self.options: dict[str, str] = {}
        self.parts = self._split(url)

    def relay(self) -> Relay:
        parts = self.parts
        scheme, host = parts.scheme.lower(), parts.hostname or ""
        if scheme not in _DEFAULT_PORTS:
            self.problems.append(f"begins with {scheme or 'no scheme'}:, but should begin with smtp:// or smtps://")
        if not _is_host(host):
            self.problems.append("has no valid host: write smtp://HOST:PORT")
        if parts.path.strip("/"):
            self.problems.append("has a path after the host; a / in the password is written %2F")
        username, password = self._credentials()
        security = self._security(scheme, host, has_login=username is not None)
        timeouts = self._timeouts()
        relay = Relay(
            host=host,
            port=self._port(scheme),
            security=security,
            username=username,
            password=password,
            ca_file=self._ca_file(),
            name=self._name(),
            connections=int(self._number("connections", 5, 1, 200, whole=True)),
            messages=int(self._number("messages", 100, 1, 10_000, whole=True)),
            idle=self._number("idle", 15, 1, 300),
            pipelining=self._choice("pipelining", "on", ("on", "off")) == "on",
            timeouts=timeouts,
        )
        self.problems.extend(f"has an unknown option {name!r}" for name in self.options)
        if self.problems:
            listed = "\n".join(f"  - it {problem}" for problem in self.problems)
            raise ConfigurationError(f"The address of the mail relay cannot be used:\n{listed}")
        return relay

    def _split(self, url: str) -> SplitResult:
        try:
            parts = urlsplit(url.strip())
            _ = parts.port
        except ValueError:
            self.problems.append("is not a URL, or its port is not a number from 1 to 65535")
            return SplitResult("smtp", "localhost", "", "", "")
        for name, value in parse_qsl(parts.query, keep_blank_values=True):
            if name in self.options:
                self.problems.append(f"says {name!r} twice")
            self.options[name] = value
        if parts.fragment:
            self.problems.append("has a # in it; in a user name or password write %23")
        return parts

    def _port(self, scheme: str) -> int:
        port = self.parts.port
        if port == 0:
            self.problems.append("has port 0")
        return port or _DEFAULT_PORTS.get(scheme, 587)

    def _credentials(self) -> tuple[str | None, str | None]:
        username = unquote(self.parts.username) if self.parts.username is not None else None
        password = unquote(self.parts.password) if self.parts.password is not None else None
        if (username or None) is None and (password or None) is None:
            return None, None
        if not username or not password:
            self.problems.append("needs both a user name and a password, or neither")
        return username, password

    def _security(self, scheme: str, host: str, *, has_login: bool) -> Security:
        stated = self._choice("tls", "", ("", "starttls", "off"))
        if scheme == "smtps":
            if stated:
                self.problems.append(f"is smtps://, which is TLS from the start: remove tls={stated}")
            return Security.IMPLICIT
        if stated == "off" and has_login:
            self.problems.append("has a password and tls=off: credentials never travel without TLS")
        if stated == "off" or (not stated and is_loopback(host) and not has_login):
            return Security.OFF
        return Security.STARTTLS

    def _ca_file(self) -> Path | None:
        text = self.options.pop("ca", None)
        if text is None:
            return None
        path = Path(text)
        if not path.is_file():
            self.problems.append(f"names the certificate file {text!r}, which does not exist")
        return path

    def _name(self) -> str | None:
        name = self.options.pop("name", None)
        if name is not None and not _EHLO_NAME.fullmatch(name):
            self.problems.append(f"has name={name!r}, which is not a host name")
        return name

    def _timeouts(self) -> Timeouts:
        chosen = {}
        for stage in fields(Timeouts):
            floor, default = getattr(FLOORS, stage.name), getattr(Timeouts(), stage.name)
            chosen[stage.name] = self._number(f"timeout_{stage.name}", default, floor, 3600)
        return Timeouts(**chosen)

    def _number(self, name: str, default: float, low: float, high: float, *, whole: bool = False) -> float:
        text = self.options.pop(name, None)
        if text is None:
            return default
        convert: Callable[[str], float] = int if whole else float
        try:
            value = convert(text)
        except ValueError:
            value = float("nan")
        if not low <= value <= high:
            self.problems.append(f"has {name}={text!r}; it must be a number from {low:g} to {high:g}")
            return default
        return value

    def _choice(self, name: str, default: str, allowed: tuple[str, ...]) -> str:
        value = self.options.pop(name, default).lower()
        if value not in allowed:
            self.problems.append(f"has {name}={value!r}; it must be {' or '.join(filter(None, allowed))}")
            return default
        return value


def _is_host(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return _HOST_NAME.fullmatch(host) is not None
    return True


def is_loopback(host: str) -> bool:
    """`localhost` and literal loopback addresses; a name that happens to resolve there does not count."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower().rstrip(".") == "localhost"
