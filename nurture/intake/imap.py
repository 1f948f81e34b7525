"""A mailbox on an IMAP server (RFC 9051), read for what came back: what is unseen, a few mails at a time, bounded.

What was dealt with is marked as seen and stays; a crash in between only brings it again. UIDs are used throughout, so
that somebody who deletes mails meanwhile shifts nothing.
"""

from __future__ import annotations

import imaplib
import ipaddress
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

from nurture.errors import ConfigurationError

TIMEOUT = 30.0  # seconds, for every step
WINDOW = 5000  # mails looked through by one search: its answer stays short


class MailboxError(Exception):
    """The server cannot be reached, or refuses. Its text holds no secret and no address."""


@dataclass(frozen=True, slots=True)
class ImapAddress:
    """Where the mailbox is. Without TLS from the start (`imap://`) STARTTLS is needed, but on this machine."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    folder: str = "INBOX"
    tls: bool = True

    @classmethod
    def parse(cls, url: str) -> ImapAddress:
        """`imaps://user:password@host/FOLDER`, with %40 for an @ in the name. Raises ConfigurationError."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise ConfigurationError("it is no address; write imaps://user:password@host/INBOX") from None
        if parts.scheme not in {"imap", "imaps"} or not parts.hostname or not parts.username or not parts.password:
            raise ConfigurationError("it must be imaps://user:password@host/INBOX, with %40 for an @ in the name")
        tls = parts.scheme == "imaps"
        folder = unquote(parts.path.strip("/")) or "INBOX"
        if not folder.isprintable() or not folder.isascii():
            raise ConfigurationError("its folder must be plain ASCII")
        return cls(
            parts.hostname, port or (993 if tls else 143), unquote(parts.username), unquote(parts.password), folder, tls
        )

    @property
    def is_here(self) -> bool:
        try:
            return self.host == "localhost" or ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        return f"{self.host}:{self.port}/{self.folder}"


class ImapMailbox:
    """An open folder."""

    def __init__(self, connection: imaplib.IMAP4, count: int) -> None:
        self._connection, self._count = connection, count

    def unseen(self, most: int) -> list[int]:
        """The UIDs of the first mails that nobody has seen."""
        found: list[int] = []
        for start in range(1, self._count + 1, WINDOW):
            end = min(start + WINDOW - 1, self._count)
            data = _told(self._connection.uid("SEARCH", f"{start}:{end}", "UNSEEN", "UNDELETED"))
            found += [int(each) for each in (data[0] or b"").split()]
            if len(found) >= most:
                break
        return found[:most]

    def read(self, uid: int, most: int) -> bytes | None:
        """The first `most` octets of a mail, which stays unseen; None if it is gone."""
        for part in _told(self._connection.uid("FETCH", str(uid), f"(UID BODY.PEEK[]<0.{most}>)")):
            if isinstance(part, tuple) and len(part) > 1:
                return bytes(part[1])[:most]
        return None

    def mark(self, uid: int) -> None:
        """It was dealt with."""
        _told(self._connection.uid("STORE", str(uid), "+FLAGS.SILENT", "(\\Seen)"))


@contextmanager
def open_mailbox(address: ImapAddress) -> Iterator[ImapMailbox]:
    """Raises MailboxError."""
    connection: imaplib.IMAP4 | None = None
    try:
        connection = _connected(address)
        try:
            connection.login(address.user, address.password)
        except imaplib.IMAP4.error:  # its text may repeat what we said
            raise MailboxError("the server refused the login") from None
        count = int(_told(connection.select(_quoted(address.folder)))[0] or b"0")
        yield ImapMailbox(connection, count)
    except (OSError, imaplib.IMAP4.error) as error:
        raise MailboxError(f"{address.host}: {type(error).__name__}") from error
    finally:
        if connection is not None:
            with suppress(OSError, imaplib.IMAP4.error):
                connection.logout()


def _connected(address: ImapAddress) -> imaplib.IMAP4:
    if address.tls:
        context = ssl.create_default_context()
        return imaplib.IMAP4_SSL(address.host, address.port, ssl_context=context, timeout=TIMEOUT)
    connection = imaplib.IMAP4(address.host, address.port, timeout=TIMEOUT)
    if not address.is_here:
        connection.starttls(ssl.create_default_context())
    return connection


def _told(answer: tuple[str, list[Any]]) -> list[Any]:
    kind, data = answer
    if kind != "OK":
        raise MailboxError(f"the server refused a command ({kind})")
    return data


def _quoted(folder: str) -> str:
    escaped = folder.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
