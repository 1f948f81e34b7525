"""A mail server that keeps everything in the local inbox: for the demo and for trying things out. Loopback only."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from email import message_from_bytes
from email.message import Message
from types import TracebackType
from typing import Any, Self

from aiosmtpd.smtp import SMTP, Envelope, Session

from nurture.sending.mail import OutgoingMail
from nurture.sending.maildir import InboxTransport

Caught = Callable[[str, Message], None]


class Catcher:
    """`async with Catcher(inbox) as catcher`: a real SMTP server on `catcher.port` while the block runs.

    `on_mail` is told of every mail it has kept: the recipient and its headers.
    """

    def __init__(self, inbox: InboxTransport, on_mail: Caught = lambda *_: None) -> None:
        self._inbox, self._on_mail = inbox, on_mail
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        """Called by the server for each whole mail; the answer is the reply to the dot."""
        content = envelope.content
        assert isinstance(content, bytes)
        for recipient in envelope.rcpt_tos:
            attempt = await self._inbox.send(OutgoingMail(envelope.mail_from or "", recipient, content), _open)
            if attempt.code is None or attempt.code >= 400:
                return f"451 4.3.0 {attempt.text}"
            self._on_mail(recipient, message_from_bytes(content.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"))
        return "250 2.0.0 kept in the local inbox"

    def _session(self) -> Any:
        return SMTP(self, hostname="localhost", enable_SMTPUTF8=True, loop=asyncio.get_running_loop())

    async def __aenter__(self) -> Self:
        self._server = await asyncio.get_running_loop().create_server(self._session, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()


async def _open() -> bool:
    return True
