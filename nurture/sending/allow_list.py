"""For staging: nothing goes to anybody who was not named."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from nurture.domain.retry import Attempt, Fault, Phase
from nurture.sending.mail import OutgoingMail
from nurture.sending.session import Gate
from nurture.sending.transport import Transport


class AllowList:
    """In front of another transport: only recipients like `*@example.com` or `ana@example.org`; `*` is everybody."""

    def __init__(self, inner: Transport, patterns: Iterable[str]) -> None:
        self._inner = inner
        self._patterns = tuple(pattern.strip().lower() for pattern in patterns if pattern.strip())

    def allows(self, recipient: str) -> bool:
        return any(fnmatchcase(recipient.lower(), pattern) for pattern in self._patterns)

    async def send(self, mail: OutgoingMail, gate: Gate) -> Attempt:
        if not self.allows(mail.recipient):
            text = "this installation may only send to addresses on its allow list, and this one is not"
            return Attempt(Phase.CONNECT, fault=Fault.NOT_ALLOWED, text=text)
        return await self._inner.send(mail, gate)

    def room(self, full: int) -> int:
        return self._inner.room(full)

    async def close(self, grace: float = 30.0) -> None:
        await self._inner.close(grace)
