"""The local inbox: a real Maildir, so that any mail program can open what would have been sent.

A mail is written to `tmp`, synced, and linked into `new`: it is there whole or not at all. On disk lines end in LF, as
mail programs expect; `Inbox.read` gives back the bytes of the wire.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.headerregistry import BaseHeader
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default as modern
from pathlib import Path

from nurture.domain.retry import Attempt, Fault, Phase
from nurture.sending.mail import OutgoingMail, fault_of
from nurture.sending.outcome import clean
from nurture.sending.session import Gate

_KEY = re.compile(r"(\d+)\.M(\d+)P\d+Q\d+\.[A-Za-z0-9_-]+(?:,S=(\d+))?")
_FOLDERS = ("new", "cur")
_HEAD = 16 * 1024
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_delivered = itertools.count(1)  # of this process, as the names must differ even while the clock stands still


class InboxTransport:
    """`clock` dates the files. Several processes may write to one folder."""

    def __init__(self, folder: Path, clock: Callable[[], datetime]) -> None:
        self.folder = folder
        self._clock = clock
        self._host = re.sub(r"[^A-Za-z0-9-]", "_", socket.gethostname()) or "localhost"
        self._is_closing = False

    async def send(self, mail: OutgoingMail, gate: Gate) -> Attempt:
        """As over SMTP: the gate first, then all or nothing. A disk that refuses costs nobody a try."""
        unfit = fault_of(mail)
        if unfit is not None:
            return Attempt(Phase.MAIL, fault=Fault.BAD_MESSAGE, text=unfit)
        if self._is_closing:
            return Attempt(Phase.CONNECT, fault=Fault.HELD, text="sending is stopping")
        if not await gate():
            return Attempt(Phase.GATE, fault=Fault.GATE_SHUT, text="the gate is shut; nothing was sent")
        # Not cancelled half-way: the thread would go on and nobody would know the outcome.
        return await asyncio.shield(asyncio.to_thread(self._deliver, mail))

    def room(self, full: int) -> int:
        return full

    async def close(self, grace: float = 30.0) -> None:  # noqa: ARG002 - the protocol's; nothing is ever on its way here
        self._is_closing = True

    def _deliver(self, mail: OutgoingMail) -> Attempt:
        content = (_envelope(mail) + mail.data).replace(b"\r\n", b"\n")
        try:
            for name in ("tmp", *_FOLDERS):
                (self.folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)
            key = self._key(len(content))
            temporary = self.folder / "tmp" / key
            try:
                _write_durably(temporary, content)
                # A link, unlike a rename, never replaces a mail that is already there.
                (self.folder / "new" / key).hardlink_to(temporary)
            finally:
                temporary.unlink(missing_ok=True)
            _sync_folder(self.folder / "new")
        except OSError as error:
            text = clean(f"the inbox {self.folder} cannot be written: {error.strerror or error}")
            return Attempt(Phase.BODY, fault=Fault.LOCAL, text=text)
        return Attempt(Phase.DONE, code=250, enhanced="2.0.0", text=f"2.0.0 in the inbox as {key}")

    def _key(self, size: int) -> str:
        seconds, micros = divmod((self._clock() - _EPOCH) // timedelta(microseconds=1), 1_000_000)
        return f"{seconds}.M{micros}P{os.getpid()}Q{next(_delivered)}.{self._host},S={size}"


def _envelope(mail: OutgoingMail) -> bytes:
    lines = [f"Return-Path: <{mail.envelope_sender}>", f"Delivered-To: {mail.recipient}"]
    lines += [f"X-Envelope-From: <{mail.envelope_sender}>", f"X-Envelope-To: <{mail.recipient}>"]
    if mail.envid:
        lines.append(f"X-Envelope-Id: {clean(mail.envid)}")
    return "".join(f"{line}\r\n" for line in lines).encode()


def _write_durably(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@dataclass(frozen=True, slots=True)
class InboxEntry:
    """One mail as a list shows it. `size` is in bytes on disk; `seen` once a mail program took it from `new`."""

    key: str
    at: datetime
    sender: str
    recipient: str
    subject: str
    size: int
    seen: bool


class Inbox:
    """Reading what `InboxTransport` wrote. Files that are not ours are passed over."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def list(self, limit: int = 50, *, after: str | None = None) -> Sequence[InboxEntry]:
        """The newest first, at most `limit`; `after` is the key of the last one of the page before."""
        files = self._files()
        if after is not None:
            files = (file for file in files if _order(file.name) < _order(after))
        return [self._entry(file) for file in itertools.islice(files, limit)]

    def search(self, text: str, limit: int = 50) -> Sequence[InboxEntry]:
        """Mails that have `text`, in any case, in their addresses, subject or decoded texts; the newest first."""
        wanted = text.casefold()
        hits = (file for file in self._files() if wanted in _searchable(file.read_bytes()))
        return [self._entry(file) for file in itertools.islice(hits, limit)]

    def read(self, key: str) -> bytes:
        """The whole mail as on the wire, our envelope headers in front. Raises KeyError where there is no such mail."""
        return self._path(key).read_bytes().replace(b"\n", b"\r\n")

    def message(self, key: str) -> EmailMessage:
        """The parsed mail. Raises KeyError."""
        return _parsed(self.read(key))

    def count(self) -> int:
        return sum(1 for _ in self._files())

    def clear(self) -> int:
        """Delete every mail; how many there were."""
        files = tuple(self._files())
        for file in files:
            file.unlink(missing_ok=True)
        return len(files)

    def _files(self) -> Iterator[Path]:
        found = [
            path
            for name in _FOLDERS
            if (self.folder / name).is_dir()
            for path in (self.folder / name).iterdir()
            if _KEY.match(path.name)
        ]
        return iter(sorted(found, key=lambda path: _order(path.name), reverse=True))

    def _path(self, key: str) -> Path:
        if _KEY.fullmatch(key):
            for path in self._files():
                if _key(path) == key:
                    return path
        raise KeyError(f"there is no mail {key!r} in {self.folder}")

    def _entry(self, path: Path) -> InboxEntry:
        with path.open("rb") as file:
            message = _parsed(file.read(_HEAD))
        return InboxEntry(
            key=_key(path),
            at=_EPOCH + timedelta(microseconds=_order(path.name)[0]),
            sender=_header(message, "From"),
            recipient=_header(message, "Delivered-To"),
            subject=_header(message, "Subject"),
            size=path.stat().st_size,
            seen=path.parent.name == "cur",
        )


def _key(path: Path) -> str:
    return path.name.partition(":")[0]  # mail programs add ":2,S" once a mail is seen


def _order(name: str) -> tuple[int, str]:
    match = _KEY.match(name)
    return (int(match[1]) * 1_000_000 + int(match[2]), name.partition(":")[0]) if match else (0, name)


def _parsed(data: bytes) -> EmailMessage:
    return BytesParser(EmailMessage, policy=modern).parsebytes(data)


def _header(message: EmailMessage, name: str) -> str:
    value: BaseHeader | None = message.get(name)
    return clean(str(value)) if value is not None else ""


def _searchable(data: bytes) -> str:
    message = _parsed(data)
    parts = [_header(message, name) for name in ("From", "Delivered-To", "Subject")]
    for part in message.walk():
        if part.get_content_maintype() == "text":
            payload = part.get_payload(decode=True)
            if isinstance(payload, bytes):
                parts.append(payload.decode(part.get_content_charset("utf-8"), "replace"))
    return "\n".join(parts).casefold()
