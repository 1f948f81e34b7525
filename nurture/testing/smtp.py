"""A scripted SMTP server: it behaves, or misbehaves, exactly as a test says, and keeps what it was handed.

    with ScriptedServer({"RCPT": [say("451 4.7.1 greylisted")]}) as server:
        ...                       # first RCPT is put off, later ones get the usual reply
        server.messages           # what the server took responsibility for, with envelopes

Stages that can be scripted: CONNECT, EHLO, HELO, STARTTLS, AUTH, MAIL, RCPT, DATA, BODY (before the body is read), DOT,
RSET, NOOP, QUIT. Each takes one `Act` (for ever), a list (one for each occurrence, then the usual reply), or a function
of the command line that returns an `Act`, or None for the usual reply. It runs in a thread of its own, on a free port.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from nurture.testing.certificates import Certificate


@dataclass(frozen=True, slots=True)
class Act:
    """What to do instead of the usual: `reply` (None: the usual one), after `delay` s, then perhaps hang or hang up.

    `pieces` cuts the reply into as many writes. `swallow` is for BODY: read so many bytes of the body before acting.
    `when` is asked again and again: no reply before it says yes. `then` is called once the reply is on its way.
    """

    reply: bytes | None = None
    delay: float = 0.0
    pieces: int = 1
    hang: bool = False
    close: bool = False
    silent: bool = False
    swallow: int = 0
    when: Callable[[], bool] = lambda: True
    then: Callable[[], None] | None = None

    def then_close(self) -> Act:
        return replace(self, close=True)


Script = Mapping[str, "Act | Sequence[Act] | Callable[[str], Act | None]"]


def say(*lines: str | bytes, delay: float = 0.0, pieces: int = 1) -> Act:
    """Reply with these lines as they stand (CRLF is added); `say("250-a", "250 b")` is one multi-line reply."""
    text = b"".join((line.encode() if isinstance(line, str) else line) + b"\r\n" for line in lines)
    return Act(reply=text, delay=delay, pieces=pieces)


def raw(reply: bytes) -> Act:
    """Write these bytes and nothing else: garbage, half a reply, two replies at once."""
    return Act(reply=reply)


def usual(*, delay: float = 0.0, pieces: int = 1) -> Act:
    return Act(delay=delay, pieces=pieces)


def hang() -> Act:
    """Never answer, keep the connection open."""
    return Act(silent=True, hang=True)


def drop() -> Act:
    """Close without a word."""
    return Act(silent=True, close=True)


def drop_in_body(after: int = 0) -> Act:
    """For BODY: close once so many bytes of the body have come."""
    return Act(silent=True, close=True, swallow=after)


def greylist(text: str = "451 4.7.1 Greylisted, please come back") -> Callable[[str], Act | None]:
    """For RCPT: put off the first sight of each recipient, take the second."""
    seen: Counter[str] = Counter()

    def judge(line: str) -> Act | None:
        seen[line] += 1
        return say(text) if seen[line] == 1 else None

    return judge


@dataclass(frozen=True, slots=True)
class Received:
    """One complete copy, dot included. `code` is what the server answered, None if nothing. `data` is unstuffed."""

    sender: str
    recipients: tuple[str, ...]
    data: bytes
    mail_params: tuple[str, ...]
    rcpt_params: tuple[str, ...]
    tls: bool
    user: str | None
    connection: int
    code: int | None = None

    @property
    def recipient(self) -> str:
        return self.recipients[0]


@dataclass(slots=True)
class _Envelope:
    sender: str = ""
    mail_params: tuple[str, ...] = ()
    recipients: list[str] = field(default_factory=list)
    rcpt_params: tuple[str, ...] = ()


EXTENSIONS = ("PIPELINING", "8BITMIME", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES", "SIZE 52428800")


class ScriptedServer:
    """Shows what happened: `messages`, `copies`, `commands`, `connections`, `bodies` ended, `violations` (ours)."""

    def __init__(
        self,
        script: Script | None = None,
        *,
        extensions: Iterable[str] = EXTENSIONS,
        certificate: Certificate | None = None,
        implicit_tls: bool = False,
        users: Mapping[str, str] | None = None,
        auth: str = "PLAIN LOGIN",
        port: int = 0,
    ) -> None:
        self.script = dict(script or {})
        self.extensions = tuple(extensions)
        self.users = dict(users or {})
        self.auth = auth
        self.port = port
        self.host = "127.0.0.1"
        self.context = certificate.server_context() if certificate else None
        self.implicit_tls = implicit_tls
        self.copies: list[Received] = []
        self.taken = 0  # how many `messages` there are
        self.commands: list[str] = []
        self.violations: list[str] = []
        self.connections = 0
        self.most_at_once = 0
        self.bodies = 0
        self._counts: Counter[str] = Counter()
        self._live: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True, name="scripted-smtp")
        self._started = threading.Event()
        self._stop = asyncio.Event()

    @property
    def messages(self) -> list[Received]:
        """The copies the server took responsibility for, or whose fate it left open by saying nothing."""
        return [copy for copy in self.copies if copy.code is None or copy.code // 100 == 2]

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._started.wait(10):
            raise RuntimeError("the scripted SMTP server did not start within 10 s")
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        context = self.context if self.implicit_tls else None
        # A client that refuses our certificate is what some tests are about: no traceback for it.
        self._loop.set_exception_handler(lambda _loop, _context: None)
        server = await asyncio.start_server(self._accept, self.host, self.port, ssl=context, limit=2**20, backlog=512)
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        await self._stop.wait()
        server.close()
        for task in self._live:
            task.cancel()
        await asyncio.gather(*self._live, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._live.add(task)
        self.connections += 1
        self.most_at_once = max(self.most_at_once, len(self._live))
        dialogue = _Dialogue(self, self.connections, reader, writer)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError, _HungUpError):
                await dialogue.run()
        except asyncio.CancelledError:
            # Ending the task normally: streams would log a cancelled connection callback.
            dialogue.writer.transport.abort()
        finally:
            self._live.discard(task)
            dialogue.writer.close()

    def act_for(self, stage: str, line: str) -> Act:
        scripted = self.script.get(stage)
        occurrence = self._counts[stage]
        self._counts[stage] += 1
        if isinstance(scripted, Act):
            return scripted
        if isinstance(scripted, Sequence):
            return scripted[occurrence] if occurrence < len(scripted) else Act()
        if scripted is not None:
            return scripted(line) or Act()
        return Act()


class _HungUpError(Exception):
    pass


class _Dialogue:
    """One connection, command by command."""

    def __init__(
        self, server: ScriptedServer, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.server, self.number, self.reader, self.writer = server, number, reader, writer
        self.tls = server.implicit_tls
        self.user: str | None = None
        self.envelope: _Envelope | None = None

    async def run(self) -> None:
        await self.perform("CONNECT", "", b"220 scripted.example ESMTP ready\r\n")
        while True:
            line = (await self.reader.readuntil(b"\r\n"))[:-2].decode("utf-8", "surrogateescape")
            self.server.commands.append(line)
            self._watch_for_pipelining(line)
            verb = line.split(" ", 1)[0].upper()
            answer = getattr(self, f"on_{verb.lower()}", None)
            if answer is None:
                await self.perform(verb, line, b"502 5.5.1 not implemented\r\n")
            else:
                await answer(line)

    def _watch_for_pipelining(self, line: str) -> None:
        ahead = bytes(getattr(self.reader, "_buffer", b""))
        if ahead and not any(e.upper() == "PIPELINING" for e in self.server.extensions):
            self.server.violations.append(f"{line!r} was followed by {ahead[:40]!r} without waiting")

    async def perform(self, stage: str, line: str, ordinary: bytes) -> int | None:
        """Act by the script. Returns the code that was answered, None for silence; raises if the connection ends."""
        act = self.server.act_for(stage, line)
        return await self.play(act, ordinary)

    async def play(self, act: Act, ordinary: bytes) -> int | None:
        if act.delay:
            await asyncio.sleep(act.delay)
        while not act.when():  # noqa: ASYNC110 - what it asks for happens in another thread
            await asyncio.sleep(0.02)
        reply = b"" if act.silent else (act.reply if act.reply is not None else ordinary)
        for piece in _cut(reply, act.pieces):
            self.writer.write(piece)
            await self.writer.drain()
            if act.pieces > 1:
                await asyncio.sleep(0.002)
        if act.then is not None:
            act.then()
        if act.hang:
            await asyncio.sleep(3600)
        if act.close:
            raise _HungUpError
        return int(reply[:3]) if reply[:3].isdigit() else None

    async def on_ehlo(self, line: str) -> None:
        offers = list(self.server.extensions)
        if self.server.context is not None and not self.tls:
            offers.append("STARTTLS")
        if self.server.users:
            offers.append(f"AUTH {self.server.auth}")
        lines = ["scripted.example greets you", *offers]
        marks = ["-"] * (len(lines) - 1) + [" "]
        text = "".join(f"250{mark}{one}\r\n" for mark, one in zip(marks, lines, strict=True))
        await self.perform("EHLO", line, text.encode())

    async def on_helo(self, line: str) -> None:
        await self.perform("HELO", line, b"250 scripted.example\r\n")

    async def on_starttls(self, line: str) -> None:
        code = await self.perform("STARTTLS", line, b"220 2.0.0 go ahead\r\n")
        if code == 220 and self.server.context is not None:
            await self.writer.start_tls(self.server.context)
            self.tls = True

    async def on_auth(self, line: str) -> None:
        parts = line.split(" ")
        if parts[1].upper() == "LOGIN":
            name = _decoded(parts[2]) if len(parts) > 2 else _decoded(await self.ask(b"VXNlcm5hbWU6"))
            password = _decoded(await self.ask(b"UGFzc3dvcmQ6"))
        elif parts[1].upper() == "PLAIN":
            given = parts[2] if len(parts) > 2 else await self.ask(b"")
            _, name, password = [*_decoded(given).split("\0"), "", ""][:3]
        else:
            await self.perform("AUTH", line, b"504 5.5.4 unknown mechanism\r\n")
            return
        right = self.server.users.get(name) == password
        ordinary = b"235 2.7.0 welcome\r\n" if right else b"535 5.7.8 wrong name or password\r\n"
        if await self.perform("AUTH", line, ordinary) == 235:
            self.user = name

    async def ask(self, challenge: bytes) -> str:
        self.writer.write(b"334 " + challenge + b"\r\n")
        return (await self.reader.readuntil(b"\r\n"))[:-2].decode()

    async def on_mail(self, line: str) -> None:
        if self.envelope is not None:
            self.server.violations.append(f"{line!r} inside an open transaction")
        code = await self.perform("MAIL", line, b"250 2.1.0 sender ok\r\n")
        if code is not None and code // 100 == 2:
            address, params = _path(line)
            self.envelope = _Envelope(address, params)

    async def on_rcpt(self, line: str) -> None:
        ordinary = b"250 2.1.5 recipient ok\r\n" if self.envelope else b"503 5.5.1 MAIL first\r\n"
        code = await self.perform("RCPT", line, ordinary)
        if code is not None and code // 100 == 2 and self.envelope:
            address, params = _path(line)
            self.envelope.recipients.append(address)
            self.envelope.rcpt_params = params

    async def on_data(self, line: str) -> None:
        ready = self.envelope is not None and self.envelope.recipients
        ordinary = b"354 go on\r\n" if ready else b"503 5.5.1 no valid recipients\r\n"
        if await self.perform("DATA", line, ordinary) == 354:
            await self.take_body()

    async def take_body(self) -> None:
        act = self.server.act_for("BODY", "")
        if act != Act():
            if act.swallow:
                await self.reader.readexactly(act.swallow)
            await self.play(act, b"")
        lines: list[bytes] = []
        while (one := await self.reader.readuntil(b"\r\n")) != b".\r\n":
            lines.append(one.removeprefix(b"."))
        data = b"".join(lines)
        self.server.bodies += 1
        if b"\n" in data.replace(b"\r\n", b"") or b"\r" in data.replace(b"\r\n", b""):
            self.server.violations.append("a bare CR or LF in the body")
        envelope = self.envelope or _Envelope()
        self.envelope = None
        copy = Received(
            envelope.sender,
            tuple(envelope.recipients),
            data,
            envelope.mail_params,
            envelope.rcpt_params,
            self.tls,
            self.user,
            self.number,
        )
        kept = len(self.server.copies)
        if envelope.recipients:
            self.server.copies.append(copy)
            self.server.taken += 1
        ordinary = (
            b"250 2.0.0 queued as %d\r\n" % (kept + 1) if envelope.recipients else b"554 5.5.1 no valid recipients\r\n"
        )
        act = self.server.act_for("DOT", "")
        reply = b"" if act.silent else (act.reply or ordinary)
        if envelope.recipients and reply[:3].isdigit():
            self.server.copies[kept] = replace(copy, code=int(reply[:3]))
            self.server.taken -= reply[:1] != b"2"
        await self.play(act, ordinary)

    async def on_rset(self, line: str) -> None:
        self.envelope = None
        await self.perform("RSET", line, b"250 2.0.0 reset\r\n")

    async def on_noop(self, line: str) -> None:
        await self.perform("NOOP", line, b"250 2.0.0 fine\r\n")

    async def on_quit(self, line: str) -> None:
        await self.perform("QUIT", line, b"221 2.0.0 bye\r\n")
        raise _HungUpError


def _cut(reply: bytes, pieces: int) -> list[bytes]:
    size = max(1, -(-len(reply) // pieces))
    return [reply[start : start + size] for start in range(0, len(reply), size)]


def _decoded(text: str) -> str:
    return base64.b64decode(text).decode()


def _path(line: str) -> tuple[str, tuple[str, ...]]:
    """`MAIL FROM:<a@b> SIZE=3` -> ("a@b", ("SIZE=3",))."""
    start, end = line.index("<"), line.rindex(">")
    return line[start + 1 : end], tuple(line[end + 1 :].split())
