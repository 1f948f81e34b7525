"""One mail, one relay, one gate: what tests of sending begin with."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from nurture.sending.mail import OutgoingMail
from nurture.sending.relay import Relay, Security, Timeouts
from nurture.testing.smtp import ScriptedServer

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
BODY = b"Subject: The tomatoes\r\n\r\nHello Ana,\r\n.a line with a dot\r\n..\r\nbye\r\n"


def noon() -> datetime:
    """A clock that stands still."""
    return NOW


def a_mail(number: int = 0, data: bytes = BODY) -> OutgoingMail:
    return OutgoingMail("b+token@bounce.shop.example", f"ana{number}@mail.example", data, envid=f"9.{number}")


def brisk(**changes: float) -> Timeouts:
    """Short enough for tests of hanging servers, long enough for a busy machine in all others."""
    usual: dict[str, float] = {
        "tcp": 5,
        "greeting": 5,
        "mail": 5,
        "rcpt": 5,
        "data": 5,
        "block": 5,
        "dot": 5,
        "quit": 1,
    }
    return Timeouts(**{**usual, **changes})


def relay_of(server: ScriptedServer, **options: Any) -> Relay:
    """The way to a scripted server, in clear unless told otherwise."""
    chosen = {"timeouts": brisk(), "security": Security.OFF, "host": server.host, **options}
    return Relay(port=server.port, **chosen)


class Gatekeeper:
    """Counts how often it was asked, and says what it was told to."""

    def __init__(self, *, answer: bool = True) -> None:
        self.asked = 0
        self.answer = answer

    async def __call__(self) -> bool:
        self.asked += 1
        return self.answer
